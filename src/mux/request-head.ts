/** What an acceptor must know of HTTP: does a frame begin with the head of a request, and for which port? */

const LONGEST_BYTES = 16 * 1024;

const REQUEST_LINE = /^[A-Z]{3,20} \S+ HTTP\/1\.[01]$/;
const HOST_PORT = /^host:[ \t]*(?:\[[^\]]*\]|[^:]*)(?::(\d*))?[ \t]*$/i;

/** The port in the Host field ('' where there is none), undefined for everything that is no head with a Host field. */
export function portOfRequest(piece: Buffer): string | undefined {
  const first = piece[0];
  if (first === undefined || first < 0x41 || first > 0x5a) return undefined;
  const text = piece.toString('latin1', 0, LONGEST_BYTES);
  let end = text.indexOf('\r\n');
  if (end < 0 || !REQUEST_LINE.test(text.slice(0, end))) return undefined;
  for (let start = end + 2; (end = text.indexOf('\r\n', start)) > start; start = end + 2) {
    const host = HOST_PORT.exec(text.slice(start, end));
    if (host) return host[1] ?? '';
  }
  return undefined;
}
