import type { Resource } from '../../../src/webdav/types.js';

export function fileResource(name: string, size: number, extra: Partial<Resource> = {}): Resource {
  return {
    name,
    kind: 'file',
    size,
    mtime: { sec: 1_000_000_000, nsec: 0 },
    created: undefined,
    etag: `"${size}"`,
    executable: undefined,
    posix: undefined,
    ...extra,
  };
}

export function folderResource(name: string): Resource {
  return { ...fileResource(name, 0), kind: 'collection', etag: undefined };
}
