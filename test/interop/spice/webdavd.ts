/**
 * The real spice-webdavd between TCP clients and a share: the daemon of the guest on one end of the channel, ours on the other, a unix
 * socket for the virtio port.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isChannelAddress, parseAddress } from '../../../src/channel/address.js';
import { openChannel } from '../../../src/channel/open-channel.js';
import { silentLogger } from '../../../src/log.js';
import { createAcceptorMux } from '../../../src/mux/mux.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { createShare, type Share } from '../../../src/share/share.js';
import { startBackground, type Background } from '../../support/background.js';
import { onCleanup } from '../../support/cleanup.js';
import { freePort } from '../../support/ports.js';
import { bash } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';

export interface WebdavdRig {
  /** Where the daemon's clients connect; stays the same when it is started again. */
  readonly url: string;
  readonly port: number;
  /** The shared folder. */
  readonly dir: string;
  /** For files of the clients. */
  readonly scratch: string;
  readonly share: Share;
  /** The id of each stream that the daemon has opened, in this order. */
  readonly ids: readonly bigint[];
  /** SIGKILL. */
  kill(): Promise<void>;
  /** A new daemon on the same port, once it takes connections. */
  start(): Promise<void>;
}

let compiled: Promise<string> | undefined;

function compileShim(): Promise<string> {
  compiled ??= (async () => {
    const source = fileURLToPath(new URL('webdavd-shim.c', import.meta.url));
    const library = join(makeTempDir('davport-webdavd-'), 'webdavd-shim.so');
    await bash('gcc -O1 -Wall -Werror -shared -fPIC -o "$2" "$1"', [source, library]);
    return library;
  })();
  return compiled;
}

export async function startWebdavd(): Promise<WebdavdRig> {
  const shim = await compileShim();
  const dir = makeTempDir('davport-shared-');
  const scratch = makeTempDir('davport-client-');
  const socket = join(makeTempDir('davport-port-'), 'port.sock');
  const ids: bigint[] = [];
  const share = await serve(dir, socket, ids);
  const port = await freePort();
  let daemon: Background;
  const start = async (): Promise<void> => {
    daemon = startBackground('/usr/sbin/spice-webdavd', ['-p', String(port)], {
      env: { LD_PRELOAD: shim, WEBDAVD_PORT_SOCKET: socket },
    });
    await waitUntil('spice-webdavd', async () => {
      if (!daemon.running) throw new Error(`spice-webdavd ended: ${daemon.log()}`);
      return takesConnections(port);
    });
  };
  await start();
  const kill = async (): Promise<void> => {
    daemon.kill('SIGKILL');
    await daemon.exited;
  };
  return { url: `http://127.0.0.1:${port}/`, port, dir, scratch, share, ids, kill, start };
}

async function serve(dir: string, socket: string, ids: bigint[]): Promise<Share> {
  const binding = loadNativeBinding();
  if (binding instanceof Error) throw binding;
  const share = await createShare({ root: dir, attributes: binding });
  const address = parseAddress(`unix-listen:${socket}`);
  if (!isChannelAddress(address)) throw new Error(socket);
  const mux = createAcceptorMux(openChannel(address, { log: silentLogger, binding }), {
    onStream: (stream) => {
      ids.push(stream.clientId);
      share.attach(stream);
    },
  });
  const close = async (): Promise<void> => {
    await mux.close();
    await share.close();
  };
  onCleanup({ run: close, runSync: () => undefined });
  // Without a port the daemon gives up at once.
  await waitUntil('socket of the share', () => takesConnections(socket));
  return share;
}

async function takesConnections(where: number | string): Promise<boolean> {
  const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
