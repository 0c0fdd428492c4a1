/** Puts the layers of one mount together, and takes them apart in the opposite order. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openChannel } from '../channel/open-channel.js';
import { isChannelAddress } from '../channel/address.js';
import { UsageError } from '../errors.js';
import type { MountOptions } from '../fuse/mount-options.js';
import { mountFileSystem, type Mount } from '../fuse/mount.js';
import { createMuxHttpClient } from '../http/mux-client.js';
import { createTcpHttpClient } from '../http/tcp-client.js';
import type { HttpClient } from '../http/types.js';
import type { Logger } from '../log.js';
import { createOpenerMux } from '../mux/mux.js';
import type { Mux } from '../mux/types.js';
import { loadNativeBinding } from '../native/binding.js';
import { defaultCacheFolder, prepareCacheFolder } from '../vfs/cache-folder.js';
import { ContentCache } from '../vfs/content-cache/content-cache.js';
import { createDavFileSystem, type DavFileSystem } from '../vfs/dav-filesystem.js';
import { JournalFolder } from '../vfs/journal/journal-folder.js';
import { createWebDavClient } from '../webdav/client.js';
import type { WebDavClient } from '../webdav/types.js';
import { watchForJunk } from './junk-watch.js';
import { defaultKeepDir } from './log-file.js';
import type { MountRequest } from './mount-request.js';

const DEFAULT_ATTR_TTL_MS = 1000;
const MAX_HEARTBEAT_MS = 3000;
/** In cache_dir. The number grows with the layout of its files. */
const CONTENTS_FOLDER = 'contents-1';
const DEFAULT_READ_AHEAD_BYTES = 64 * 1024 * 1024;

export interface Stack {
  readonly fs: DavFileSystem;
  readonly client: WebDavClient;
  /** Absent for http and https addresses. */
  readonly mux: Mux | undefined;
  /** Longest silence of the peer, ms. */
  readonly timeoutMs: number;
  /** Makes it visible. The path is usable when the promise resolves. */
  mount(): Promise<Mount>;
  close(): Promise<void>;
}

export async function openStack(request: MountRequest, log: Logger): Promise<Stack> {
  const { options, mountpoint, source } = request;
  const cacheDir = await prepareCacheFolder(options.cacheDir ?? defaultCacheFolder());
  const binding = loadNativeBinding();
  const journal = await openJournal(request, cacheDir, log);
  const { http, mux } = openHttp(request, log);
  const client = createWebDavClient(http, { log });
  const { cacheBytes } = options;
  const contents =
    cacheBytes === undefined
      ? undefined
      : new ContentCache(path.join(cacheDir, CONTENTS_FOLDER), cacheBytes, source, log);
  const fs = createDavFileSystem({
    client,
    log,
    contents,
    keepDir: defaultKeepDir(process.env),
    writeback: journal && {
      folder: journal,
      accepts: options.writeback,
      limitBytes: options.stagingBytes,
      timeoutMs: options.timeoutMs,
    },
    ...fileSystemOptions(options, cacheDir),
  });
  let mounted = false;
  const unsubscribe = http.onConnectedChange((connected) => {
    if (connected) fs.peerReturned();
    // Before the mount the command itself fails with it.
    else if (mux?.failure && mounted) log.error(mux.failure.message);
  });
  const endWatch = mux ? watchForJunk(mux, source, log) : undefined;
  return {
    fs,
    client,
    mux,
    timeoutMs: options.timeoutMs,
    async mount() {
      const mount = await mountFileSystem(fs, mountpoint, {
        options: { ...options, fsname: options.fsname ?? source },
        log,
        binding,
      });
      mounted = true;
      fs.mounted();
      return mount;
    },
    async close() {
      unsubscribe();
      endWatch?.();
      await fs.destroy();
      await contents?.close();
      await http.close();
      await mux?.close();
    },
  };
}

/** What a former mount left there is brought in any case. */
async function openJournal(
  { options, source }: MountRequest,
  cacheDir: string,
  log: Logger,
): Promise<JournalFolder | undefined> {
  if (options.ro) return undefined;
  const { stagingDir, writeback: create } = options;
  const folder = stagingDir === undefined ? cacheDir : await prepareCacheFolder(stagingDir);
  const binding = loadNativeBinding();
  return JournalFolder.open({ stagingDir: folder, source, create, binding, log });
}

function openHttp(
  { address, options, credentials }: MountRequest,
  log: Logger,
): { http: HttpClient; mux: Mux | undefined } {
  const { timeoutMs, maxRequests, compress } = options;
  if (address.kind === 'http') {
    const http = createTcpHttpClient(address.url.href, {
      timeoutMs,
      compress,
      log,
      ...(maxRequests !== undefined && { connections: maxRequests }),
      ...(credentials && { credentials }),
      ...(options.cacert !== undefined && { ca: readCertificates(options.cacert) }),
      ...(options.insecure && { insecure: true }),
    });
    return { http, mux: undefined };
  }
  if (!isChannelAddress(address)) {
    throw new UsageError(`${address.text}: spice: addresses are for davport share; name a channel`);
  }
  const channel = openChannel(address, { log, binding: loadNativeBinding() });
  const mux = createOpenerMux(channel, { log });
  const limits =
    maxRequests === undefined ? {} : { metadataInFlight: maxRequests, bulkInFlight: maxRequests };
  return { http: createMuxHttpClient(mux, { timeoutMs, compress, log, ...limits }), mux };
}

function readCertificates(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot read the certificates: ${reason}; check -o cacert=`, {
      cause: error,
    });
  }
}

function fileSystemOptions(options: MountOptions, cacheDir: string) {
  const umask = options.umask ?? currentUmask();
  const ages = [options.attrTimeoutMs, options.entryTimeoutMs].filter((age) => age !== undefined);
  const ttlMs = ages.length > 0 ? Math.min(...ages) : DEFAULT_ATTR_TTL_MS;
  return {
    cacheDir,
    readAheadBytes: options.readAheadBytes ?? DEFAULT_READ_AHEAD_BYTES,
    uid: options.uid ?? process.getuid?.() ?? 0,
    gid: options.gid ?? process.getgid?.() ?? 0,
    fmask: options.fmask ?? umask,
    dmask: options.dmask ?? umask,
    readOnly: options.ro,
    attrTtlMs: options.strict ? 0 : ttlMs,
    negativeTtlMs: options.strict ? 0 : (options.negativeTimeoutMs ?? ttlMs),
    closeToOpen: options.closeToOpen,
    ...(options.locks === 'server' && { lockTimeoutSec: Math.ceil(options.lockTimeoutMs / 1000) }),
    // Well within the time after which a silent request is given up.
    heartbeatMs: Math.min(MAX_HEARTBEAT_MS, options.timeoutMs / 4),
  };
}

/** process.umask() would set it for a moment, and is deprecated for that. */
function currentUmask(): number {
  const line = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return line ? Number.parseInt(line[1]!, 8) : 0o022;
}
