/**
 * node scripts/compiled.mjs test/bench/share/null-server.ts BYTES LARGE
 *
 * Answers like a server that does nothing: what the generator reaches on it is what it can measure at most. Prints its port.
 */
import net from 'node:net';

const [bytes, large] = process.argv.slice(2).map(Number);
const block = Buffer.alloc(1 << 20, 'x');
const small = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes!)}`,
);
const created = Buffer.from('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n');
const largeHead = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`);

function pump(socket: net.Socket, left: number): void {
  while (left > 0 && !socket.destroyed) {
    const piece = left < block.length ? block.subarray(0, left) : block;
    left -= piece.length;
    if (socket.write(piece)) continue;
    socket.once('drain', () => pump(socket, left));
    return;
  }
}

function serve(socket: net.Socket): void {
  let left = 0;
  const take = (chunk: Buffer): void => {
    if (left === 0) {
      const end = chunk.indexOf('\r\n\r\n');
      const head = chunk.toString('latin1', 0, end + 2);
      if (head.startsWith('PUT')) {
        left = Number(/content-length: (\d+)/i.exec(head)![1]);
      } else {
        socket.write(head.includes('large') ? largeHead : small);
        if (head.includes('large')) pump(socket, large!);
        return;
      }
      chunk = chunk.subarray(end + 4);
    }
    left -= chunk.length;
    if (left <= 0) socket.write(created);
  };
  socket.on('error', () => undefined);
  socket.on('data', take);
}

const server = net.createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', () => {
  console.log((server.address() as net.AddressInfo).port);
});
