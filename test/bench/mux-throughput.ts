/**
 * Throughput of the multiplexer alone, over a unix socket between two processes:
 *
 *     node scripts/compiled.mjs test/bench/mux-throughput.ts [MEGABYTES] [STREAMS]
 *
 * Prints one line for each direction: wall time, and the processor time of either side.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isChannelAddress, parseAddress } from '../../src/channel/address.js';
import type { Channel } from '../../src/channel/channel.js';
import { openChannel } from '../../src/channel/open-channel.js';
import { silentLogger } from '../../src/log.js';
import { createAcceptorMux, createOpenerMux } from '../../src/mux/mux.js';
import type { Mux, MuxStream } from '../../src/mux/types.js';

type Direction = 'up' | 'down';

const megabytes = Number(process.argv[2] ?? 1000);
const streams = Number(process.argv[3] ?? 4);
const bytesPerStream = Math.floor((megabytes * 1e6) / streams);
const block = Buffer.alloc(1024 * 1024, 'x');
const head = Buffer.from('HTTP/1.1 200 OK\r\n\r\n');

function channelOf(text: string): Channel {
  const address = parseAddress(text);
  if (!isChannelAddress(address)) throw new Error(text);
  return openChannel(address, { log: silentLogger, binding: new Error('not needed') });
}

async function pump(stream: MuxStream, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= block.length) {
    const piece = left < block.length ? block.subarray(0, left) : block;
    if (!stream.write(piece)) await once(stream, 'drain');
  }
}

const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

/** The other process: takes what comes, or sends what is asked for, and tells its processor time. */
function serve(address: string): void {
  const mux = createAcceptorMux(channelOf(address), {
    onStream: (stream) => {
      let received = -1;
      stream.on('data', (chunk: Buffer) => {
        if (received < 0 && chunk[0] === 'D'.charCodeAt(0)) {
          stream.write(head);
          void pump(stream, bytesPerStream);
        } else {
          received = Math.max(received, 0) + chunk.length;
          if (received === bytesPerStream) stream.end(head);
        }
      });
    },
  });
  process.on('message', () => process.send!(process.cpuUsage()));
  process.on('disconnect', () => void mux.close());
}

async function transfer(mux: Mux, direction: Direction): Promise<void> {
  const stream = mux.openStream();
  if (direction === 'up') {
    await pump(stream, bytesPerStream);
    await once(stream, 'data');
  } else {
    stream.write('D');
    let received = -head.length;
    for await (const chunk of stream) {
      received += (chunk as Buffer).length;
      if (received === bytesPerStream) break;
    }
  }
  stream.destroy();
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'davport-bench-'));
  const socket = path.join(folder, 'channel');
  const child = fork(import.meta.filename, [String(megabytes), String(streams), socket]);
  const childUsage = async (): Promise<NodeJS.CpuUsage> => {
    child.send('usage');
    return ((await once(child, 'message')) as [NodeJS.CpuUsage])[0];
  };
  const mux = createOpenerMux(channelOf(`unix:${socket}`));
  try {
    await new Promise<void>((resolve) => mux.onConnectedChange(() => resolve()));
    for (const direction of ['up', 'down', 'up', 'down'] as const) {
      const before = { at: performance.now(), own: process.cpuUsage(), peer: await childUsage() };
      await Promise.all(Array.from({ length: streams }, () => transfer(mux, direction)));
      const wall = (performance.now() - before.at) / 1000;
      const own = seconds(process.cpuUsage(before.own));
      const peer = seconds(await childUsage()) - seconds(before.peer);
      const rate = (time: number): string => `${((megabytes * 1e6) / time / 1e9).toFixed(2)} GB/s`;
      console.log(
        `${direction.padEnd(5)} ${rate(wall)} wall, ` +
          `${rate(own)} per opener CPU, ${rate(peer)} per acceptor CPU`,
      );
    }
  } finally {
    await mux.close();
    child.disconnect();
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

const socketOfChild = process.argv[4];
if (socketOfChild === undefined) await measure();
else serve(`unix-listen:${socketOfChild}`);
