import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LinkSpeed } from '../../../src/http/link-speed.js';

const KiB = 1024;

/** A clock, and bodies that arrive as a test says. Slow below 1000 bytes per ms, fast from 2000 on. */
function rig() {
  let now = 0;
  const speed = new LinkSpeed({ now: () => now }, { slowBelow: 1e6, fastFrom: 2e6 });
  const wait = (ms: number): void => {
    now += ms;
  };
  /** `perMs` bytes in each of `ms` milliseconds, after a first piece. */
  const body = (perMs: number, ms: number): void => {
    speed.begin();
    speed.arrived(perMs);
    for (let at = 0; at < ms; at += 1) {
      wait(1);
      speed.arrived(perMs);
    }
    speed.end();
  };
  return { speed, wait, body };
}

describe('speed of the link', () => {
  test('what came at once, or was little, tells nothing', () => {
    const { speed, body } = rig();
    assert.equal(speed.slow, undefined);
    body(10_000_000, 0);
    body(100, 600);
    assert.equal(speed.slow, undefined);
    body(100, 100);
    assert.equal(speed.slow, true);
  });

  test('small bodies tell it together, and the time between them does not count', () => {
    const { speed, wait, body } = rig();
    for (let at = 0; at < 20; at += 1) {
      body(4 * KiB, 1);
      wait(10_000);
    }
    assert.equal(speed.slow, false);
  });

  test('what was asked for counts from the question on, but for what is short', () => {
    const cases = [
      { pieces: [8 * KiB, 8 * KiB - 1], slow: undefined },
      { pieces: [8 * KiB, 8 * KiB], slow: true },
      { pieces: [16 * KiB], slow: true },
    ];
    for (const { pieces, slow } of cases) {
      const { speed, wait } = rig();
      for (let at = 0; at < 8; at += 1) {
        speed.ask();
        wait(20);
        for (const bytes of pieces) speed.arrived(bytes);
        speed.end();
      }
      assert.equal(speed.slow, slow, pieces.join());
    }
  });

  test('between the bounds it stays what it was', () => {
    const { speed, body } = rig();
    body(1500, 20_000);
    assert.equal(speed.slow, false);
    body(500, 40_000);
    assert.equal(speed.slow, true);
    body(1500, 20_000);
    assert.equal(speed.slow, true);
    body(10_000, 5000);
    assert.equal(speed.slow, false);
    body(1500, 20_000);
    assert.equal(speed.slow, false);
  });

  test('what was long ago is forgotten', () => {
    const { speed, body } = rig();
    body(10_000, 100_000);
    assert.equal(speed.slow, false);
    // Of 1 GB at ten times the speed nothing is left after the time for 16 MB.
    body(100, 160_000);
    assert.equal(speed.slow, true);
  });

  test('bodies beside each other share the link', () => {
    const { speed, wait } = rig();
    for (let at = 0; at < 4; at += 1) speed.begin();
    for (let ms = 0; ms < 200; ms += 1) {
      wait(1);
      for (let at = 0; at < 4; at += 1) speed.arrived(600);
    }
    assert.equal(speed.slow, false);
    for (let at = 0; at < 3; at += 1) speed.end();
    wait(1000);
    // The one that is left has waited: that is time of the link.
    speed.arrived(1);
    assert.equal(speed.slow, true);
  });
});
