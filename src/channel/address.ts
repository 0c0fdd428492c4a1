import { UsageError } from '../errors.js';
import { WEBDAV_PORT_NAME } from './virtio-names.js';
import { splitWords } from './words.js';

interface Written {
  /** As the user wrote it; for messages. */
  readonly text: string;
}

export type VirtioAddress = Written & {
  readonly kind: 'virtio';
  /** A device file, or the name of a port. */
  readonly port: string | { readonly name: string };
};
export type UnixAddress = Written & {
  readonly kind: 'unix' | 'unix-listen';
  readonly path: string;
};
export type TcpAddress = Written & {
  readonly kind: 'tcp' | 'tcp-listen';
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
};
export type FdAddress = Written & { readonly kind: 'fd'; readonly fd: number };
export type StdioAddress = Written & { readonly kind: 'stdio' };
export type ExecAddress = Written & {
  readonly kind: 'exec';
  /** Program and arguments. */
  readonly words: readonly string[];
};
export type HttpAddress = Written & { readonly kind: 'http'; readonly url: URL };
export type SpiceAddress = Written & {
  readonly kind: 'spice';
  readonly transport: 'tcp' | 'tls' | 'unix';
} & (
    | { readonly transport: 'unix'; readonly path: string }
    | { readonly transport: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  );

/** Those that are byte pipes with frames on them, as they are. */
export type ChannelAddress =
  VirtioAddress | UnixAddress | TcpAddress | FdAddress | StdioAddress | ExecAddress;

export type Address = ChannelAddress | HttpAddress | SpiceAddress;

export const DEFAULT_ADDRESS = `virtio:${WEBDAV_PORT_NAME}`;

export const ADDRESS_FORMS = [
  'virtio:NAME',
  '/dev/PORT',
  'unix:PATH',
  'tcp:HOST:PORT',
  'unix-listen:PATH',
  'tcp-listen:HOST:PORT',
  'fd:N',
  'stdio:',
  'exec:COMMAND',
  'http://HOST/PATH',
  'https://HOST/PATH',
  'spice:HOST:PORT',
  'spice+tls:HOST:PORT',
  'spice+unix:PATH',
] as const;

/** The longest path that fits into sockaddr_un with its NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;

type Parser = (rest: string, text: string) => Address;

const PARSERS: Readonly<Record<string, Parser>> = {
  virtio: (rest, text) => ({ kind: 'virtio', text, port: virtioPort(rest, text) }),
  unix: (rest, text) => ({ kind: 'unix', text, path: socketPath(rest, text) }),
  'unix-listen': (rest, text) => ({ kind: 'unix-listen', text, path: socketPath(rest, text) }),
  tcp: (rest, text) => ({ kind: 'tcp', text, ...hostAndPort(rest, text, 1) }),
  'tcp-listen': (rest, text) => ({ kind: 'tcp-listen', text, ...hostAndPort(rest, text, 0) }),
  fd: (rest, text) => ({ kind: 'fd', text, fd: descriptor(rest, text) }),
  stdio: (rest, text) => {
    if (rest !== '') throw bad(text, 'nothing may follow stdio:');
    return { kind: 'stdio', text };
  },
  exec: (rest, text) => ({ kind: 'exec', text, words: commandWords(rest, text) }),
  http: parseHttp,
  https: parseHttp,
  spice: (rest, text) => ({ kind: 'spice', text, transport: 'tcp', ...hostAndPort(rest, text, 1) }),
  'spice+tls': (rest, text) => ({
    kind: 'spice',
    text,
    transport: 'tls',
    ...hostAndPort(rest, text, 1),
  }),
  'spice+unix': (rest, text) => ({
    kind: 'spice',
    text,
    transport: 'unix',
    path: socketPath(rest, text),
  }),
};

/** Throws a `UsageError` for what is no address. */
export function parseAddress(text: string): Address {
  if (text.includes('\0')) throw bad(text.replaceAll('\0', '\\0'), 'a NUL is in it');
  if (text.startsWith('/dev/')) return { kind: 'virtio', text, port: text };
  const colon = text.indexOf(':');
  const scheme = colon < 0 ? text : text.slice(0, colon);
  const parser = Object.hasOwn(PARSERS, scheme) ? PARSERS[scheme] : undefined;
  if (parser === undefined) throw bad(text, hint(text));
  if (colon < 0 && scheme !== 'stdio') throw bad(text, `a colon must follow "${scheme}"`);
  return parser(text.slice(scheme.length + 1), text);
}

export function isChannelAddress(address: Address): address is ChannelAddress {
  return address.kind !== 'http' && address.kind !== 'spice';
}

function bad(text: string, why: string): UsageError {
  const forms = ADDRESS_FORMS.join(', ');
  return new UsageError(`bad channel address ${JSON.stringify(text)}: ${why} (forms: ${forms})`);
}

function hint(text: string): string {
  if (text === '') return 'it is empty; leave it out for the virtio port of the SPICE folder';
  if (text.startsWith('/') || text.startsWith('.')) return `for a socket write unix:${text}`;
  if (/^[^:]+:\d+$/.test(text)) return `for a TCP port write tcp:${text}`;
  return 'it has no known form';
}

function virtioPort(rest: string, text: string): string | { name: string } {
  if (rest === '') throw bad(text, 'the name of the port is missing');
  return rest.startsWith('/') ? rest : { name: rest };
}

function socketPath(rest: string, text: string): string {
  if (rest === '') throw bad(text, 'the path is missing');
  if (Buffer.byteLength(rest) > MAX_SOCKET_PATH_BYTES) {
    throw bad(
      text,
      `a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes; use a shorter one`,
    );
  }
  return rest;
}

function hostAndPort(rest: string, text: string, lowest: number): { host: string; port: number } {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(rest);
  if (match === null) {
    const why = /:.*:/.test(rest) ? 'an IPv6 address goes in brackets: [::1]:PORT' : 'HOST:PORT';
    throw bad(text, `expected ${why}`);
  }
  const port = Number(match[3]);
  if (port < lowest || port > 65535) throw bad(text, `the port must be ${lowest} to 65535`);
  return { host: (match[1] ?? match[2])!, port };
}

function commandWords(rest: string, text: string): string[] {
  let words: string[];
  try {
    words = splitWords(rest);
  } catch (error) {
    throw bad(text, (error as Error).message);
  }
  if (words.length === 0 || words[0] === '') throw bad(text, 'the command is missing');
  return words;
}

function descriptor(rest: string, text: string): number {
  if (!/^\d{1,9}$/.test(rest)) throw bad(text, 'expected the number of an open descriptor');
  return Number(rest);
}

function parseHttp(_rest: string, text: string): HttpAddress {
  // The WHATWG parser takes "http:x" too.
  const url = /^https?:\/\/[^/]/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw bad(text, 'no valid URL');
  return { kind: 'http', text, url };
}
