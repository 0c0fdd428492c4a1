/**
 * davport as a library: every layer, from the byte pipe to the mounted file system. doc/ARCHITECTURE.md says how they fit together.
 */
export { DavportError, UsageError } from './errors.js';
export { createLogger, silentLogger, type Logger, type LogLevel } from './log.js';
export { decodeName, encodeName } from './names.js';
export { loadNativeBinding, type NativeBinding } from './native/binding.js';

export { isChannelAddress, parseAddress, type Address } from './channel/address.js';
export type { Channel, ChannelSession, ChannelSink } from './channel/channel.js';
export { ChannelError } from './channel/errors.js';
export { openChannel } from './channel/open-channel.js';

export { createAcceptorMux, createOpenerMux, type AcceptorMuxOptions } from './mux/mux.js';
export { MuxError, StreamResetError } from './mux/types.js';
export type { Mux, MuxStats, MuxStream } from './mux/types.js';

export { createMuxHttpClient, type MuxHttpOptions } from './http/mux-client.js';
export { createTcpHttpClient, type TcpHttpOptions } from './http/tcp-client.js';
export { HttpError } from './http/types.js';
export type { HttpClient, HttpRequest, HttpResponse } from './http/types.js';

export { createWebDavClient } from './webdav/client.js';
export { DavError, XmlError } from './webdav/types.js';
export type { Listing, Resource, ServerProfile, WebDavClient } from './webdav/types.js';

export { createDavFileSystem, type DavFileSystem } from './vfs/dav-filesystem.js';
export { FsError, type FileSystem } from './vfs/filesystem.js';

export { mountFileSystem, type Mount } from './fuse/mount.js';
export { parseMountOptions, type MountOptions } from './fuse/mount-options.js';

export { createShare, listenHttp, type Share, type ShareOptions } from './share/share.js';
