/**
 * Runs inside the guest, on a true virtio port. Prints one JSON line per event; the host side of the test (virtio-port.test.ts) plays
 * the other part. Each session begins with one line of the host that says what to do.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import type { ChannelSession, ChannelSink } from '../../../src/channel/channel.js';
import { WEBDAV_PORT_NAME, findVirtioPort } from '../../../src/channel/virtio-names.js';
import { VirtioPortChannel } from '../../../src/channel/virtio-port.js';
import { createLogger } from '../../../src/log.js';
import { loadNativeBinding } from '../../../src/native/binding.js';

const CHUNK_BYTES = 65_536;

const say = (event: string, details: Record<string, unknown> = {}): void => {
  console.log(JSON.stringify({ event, ...details }));
};

const loaded = loadNativeBinding();
if (loaded instanceof Error) throw loaded;
const binding = loaded;
const log = createLogger('debug', (line) => {
  say('log', { line });
});

function makeChannel(name: string): VirtioPortChannel {
  return new VirtioPortChannel(`virtio:${name}`, { name }, { binding, log });
}

/** What the kernel does with the bare descriptor while no host is there. */
function lookAtDevice(path: string): void {
  const io = binding.open(path, constants.O_RDWR);
  say('absent', {
    poll: io.poll(),
    read: io.read(Buffer.alloc(10)),
    write: io.writev([Buffer.from('x')]),
  });
  io.close();
}

async function sayRefusal(name: string): Promise<void> {
  const channel = makeChannel(name);
  const sink: ChannelSink = {
    onData: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  };
  try {
    await channel.open(sink, AbortSignal.timeout(5000));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    say('refused', { code, message });
  } finally {
    await channel.close();
  }
}

/** One session: "sink N" takes N bytes and says their hash; "source N" sends N; "close" closes; "end" ends the program. */
class Conversation implements ChannelSink {
  session!: ChannelSession;
  readonly over: Promise<Error | undefined>;
  last = false;
  #settle!: (error: Error | undefined) => void;
  #line = '';
  #expected = 0;
  #toSend = 0;
  #hash: Hash = createHash('sha256');
  #startedMs = 0;
  #chunks = 0;

  constructor() {
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  onData(chunk: Buffer): void {
    this.#chunks += 1;
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#expected > 0) {
        rest = this.#takeBody(rest);
        continue;
      }
      const newline = rest.indexOf(10);
      this.#line += rest.subarray(0, newline < 0 ? rest.length : newline).toString();
      if (newline < 0) return;
      rest = rest.subarray(newline + 1);
      const line = this.#line;
      this.#line = '';
      void this.#obey(line);
    }
  }

  #takeBody(bytes: Buffer): Buffer {
    const part = bytes.subarray(0, this.#expected);
    this.#hash.update(part);
    this.#expected -= part.length;
    if (this.#expected === 0) this.#sayHash('received', { chunks: this.#chunks });
    return bytes.subarray(part.length);
  }

  #sayHash(event: string, details: Record<string, unknown> = {}): void {
    const ms = performance.now() - this.#startedMs;
    say(event, { sha256: this.#hash.digest('hex'), ms: Math.round(ms), ...details });
  }

  async #obey(line: string): Promise<void> {
    const [verb, number] = line.split(' ');
    this.#startedMs = performance.now();
    this.#hash = createHash('sha256');
    this.#chunks = 0;
    if (verb === 'sink') this.#expected = Number(number);
    if (verb === 'busy') await sayRefusal(WEBDAV_PORT_NAME);
    if (verb === 'echo') this.session.write([Buffer.from(`${number ?? ''}\n`)]);
    if (verb === 'source') {
      this.#toSend = Number(number);
      this.#send();
    }
    if (verb === 'end') this.last = true;
    if (verb === 'end' || verb === 'close') this.session.close();
  }

  /** Frames as the mux makes them: a small header and a payload. */
  #send(): void {
    while (this.#toSend > 0) {
      const size = Math.min(CHUNK_BYTES, this.#toSend);
      const bytes = Buffer.alloc(size, this.#toSend & 255);
      this.#toSend -= size;
      this.#hash.update(bytes);
      if (!this.session.write([bytes.subarray(0, 10), bytes.subarray(10)])) return;
    }
    this.#sayHash('queued');
  }

  onDrain(): void {
    this.#send();
  }

  onClose(error?: Error): void {
    this.#settle(error);
  }
}

const path = await findVirtioPort(WEBDAV_PORT_NAME);
say('found', { path });
lookAtDevice(path!);
await sayRefusal('org.example.none');

const channel = makeChannel(WEBDAV_PORT_NAME);
for (;;) {
  const conversation = new Conversation();
  conversation.session = await channel.open(conversation, new AbortController().signal);
  say('open');
  const error = (await conversation.over) as NodeJS.ErrnoException | undefined;
  say('over', { code: error?.code });
  if (conversation.last) break;
}
await channel.close();
say('done');
