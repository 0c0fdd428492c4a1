/** What makes two answers tell of one version of a file. */
import { opaqueTag } from '../../webdav/etag.js';
import type { GetResult, Resource } from '../../webdav/types.js';
import type { FileVersion } from '../content.js';

/** Weak comparison (RFC 9110 §8.8.3.2): Apache's tag is weak for about a second after a write, strong later. */
export function sameTag(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return opaqueTag(a) === opaqueTag(b);
}

export function sameVersion(
  a: Pick<FileVersion, 'size' | 'etag'>,
  b: Pick<FileVersion, 'size' | 'etag'>,
): boolean {
  return a.size === b.size && sameTag(a.etag, b.etag);
}

export function versionOf(resource: Resource): FileVersion {
  return { size: resource.size, etag: resource.etag, mtime: resource.mtime };
}

/** The version that an answer carries. A GET tells no exact time: it is the known one's if the version is. */
export function versionOfHead(head: GetResult, known: FileVersion | undefined): FileVersion {
  const version = { size: head.totalSize, etag: head.etag, mtime: undefined };
  return known !== undefined && sameVersion(version, known) ? known : version;
}
