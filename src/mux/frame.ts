/**
 * One frame of the SPICE WebDAV channel (spice-gtk channel-webdav.c, spice-webdavd.c). No magic, version or checksum.
 *
 *     int64 LE   client_id   opaque name of a logical connection, chosen by the opener
 *     uint16 LE  size        bytes of payload; 0: the connection has ended
 *     byte[size] payload
 *
 * A client_id is kept as two unsigned 32-bit halves, because a BigInt for every frame costs more than the frame.
 */
export const HEADER_BYTES = 10;

/** The largest payload that `size` can say. */
export const MAX_PAYLOAD_BYTES = 0xffff;

export const LOW_OFFSET = 0;
export const HIGH_OFFSET = 4;
export const SIZE_OFFSET = 8;

export function encodeHeader(high: number, low: number, size: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(low, LOW_OFFSET);
  header.writeUInt32LE(high, HIGH_OFFSET);
  header.writeUInt16LE(size, SIZE_OFFSET);
  return header;
}

/** The id as the int64 of the wire: negative when the upper bit is set, as spice-webdavd's often are. */
export function toClientId(high: number, low: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}
