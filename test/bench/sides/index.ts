/** Those that can be measured beside each other, by name. */
import type { Servers, Server, Wire } from '../servers.js';
import type { Side } from '../side.js';
import { davportSide } from './davport.js';
import { localSide } from './local.js';
import { muxSide } from './mux.js';
import { nullSide } from './null.js';
import { isInstalled, PEER_PROGRAMS, peerSide } from './peers.js';
import { rawSide } from './raw.js';

/** The first is what the others are compared with. */
export const SIDE_NAMES = [
  'davport',
  'null',
  'raw',
  'mux',
  ...PEER_PROGRAMS,
  'local',
  'fuse-native',
  'null-fuse-native',
] as const;
export type SideName = (typeof SIDE_NAMES)[number];

export interface SideSettings {
  readonly servers: Servers;
  /** What they serve. */
  readonly dir: string;
  /** Of davport's mounts. */
  readonly options: readonly string[];
}

const DEFAULT_KEEP_MS = 1000;

/** The null file system lets the kernel keep things for as long as the mount that it is compared with. */
function keepMs(options: readonly string[]): number {
  const given = options.map((each) => /^attr_timeout=([\d.]+)$/.exec(each)?.[1]).find(Boolean);
  return given === undefined ? DEFAULT_KEEP_MS : Number(given) * 1000;
}

/** Undefined: not to be had here. */
export async function startSide(name: SideName, given: SideSettings): Promise<Side | undefined> {
  const { servers, dir, options } = given;
  const on = async (wire: Wire, start: (server: Server) => Side | Promise<Side>) => {
    const server = await servers.get(wire);
    return server && start(server);
  };
  switch (name) {
    case 'davport':
      return on('channel', (server) => davportSide(name, server, dir, 'kernel', options));
    case 'fuse-native':
      return on('channel', (server) => davportSide(name, server, dir, 'fuse-native', options));
    case 'null':
      return nullSide(name, 'kernel', keepMs(options));
    case 'null-fuse-native':
      return nullSide(name, 'fuse-native', keepMs(options));
    case 'raw':
      return on('channel', (server) => rawSide(name, server));
    case 'mux':
      return muxSide(name);
    case 'local':
      return localSide(dir);
    default:
      return isInstalled(name) ? on('http', (server) => peerSide(name, server, dir)) : undefined;
  }
}
