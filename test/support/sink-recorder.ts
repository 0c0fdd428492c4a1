import assert from 'node:assert/strict';
import type { ChannelSink } from '../../src/channel/channel.js';
import { FEWEST_LOOKS } from './wait-until.js';

/** Collects what a session reports, with promises to wait for it. */
export class Recorder implements ChannelSink {
  received = Buffer.alloc(0);
  drains = 0;
  closed: { error: Error | undefined } | undefined;
  #wake: (() => void)[] = [];

  onData(chunk: Buffer): void {
    assert.equal(this.closed, undefined, 'data after the end');
    this.received = Buffer.concat([this.received, chunk]);
    this.#changed();
  }
  onDrain(): void {
    this.drains += 1;
    this.#changed();
  }
  onClose(error?: Error): void {
    assert.equal(this.closed, undefined, 'closed twice');
    this.closed = { error };
    this.#changed();
  }
  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    for (let looks = 0; !condition(); looks += 1) {
      assert.ok(performance.now() < deadline || looks < FEWEST_LOOKS, 'waited for ten seconds');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
  async text(expected: string): Promise<void> {
    await this.until(() => this.received.length >= expected.length);
    assert.equal(this.received.toString(), expected);
  }
}
