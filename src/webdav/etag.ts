/** Entity tags (RFC 9110 8.8.3). */

export function isWeak(etag: string): boolean {
  return etag.startsWith('W/');
}

/** The strong form: what stays when a server drops the mark. */
export function opaqueTag(etag: string): string {
  return isWeak(etag) ? etag.slice(2) : etag;
}

/** Weak comparison: the same version as far as the server tells. */
export function sameVersion(a: string, b: string): boolean {
  return opaqueTag(a) === opaqueTag(b);
}

/** Strong comparison: byte for byte the same. */
export function sameBytes(a: string, b: string): boolean {
  return !isWeak(a) && !isWeak(b) && a === b;
}

const ETAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** An entity tag that can be sent back in a header field; some servers send what is none. */
export function isEntityTag(text: string): boolean {
  return ETAG.test(text);
}
