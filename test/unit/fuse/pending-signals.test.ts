import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEnding, wantsToEnd } from '../../../src/fuse/pending-signals.js';

const bit = (signal: number): string => (1n << BigInt(signal - 1)).toString(16).padStart(16, '0');
const none = '0'.repeat(16);
const SIGINT = 2;
const SIGALRM = 14;
const SIGCHLD = 17;

function status(pending: string, caught = none, ignored = none, blocked = none): string {
  return `Name:\tgit\nSigPnd:\t${none}\nShdPnd:\t${pending}\nSigBlk:\t${blocked}\nSigIgn:\t${ignored}\nSigCgt:\t${caught}\n`;
}

test('the timer of a progress display does not cancel a request', () => {
  assert.equal(wantsToEnd(status(bit(SIGALRM), bit(SIGALRM))), false);
});

test('a timer that ends the program does', () => {
  assert.equal(wantsToEnd(status(bit(SIGALRM))), true);
});

test('^C cancels, whether the program handles it or not, unless it ignores or blocks it', () => {
  assert.equal(wantsToEnd(status(bit(SIGINT))), true);
  assert.equal(wantsToEnd(status(bit(SIGINT), bit(SIGINT))), true);
  assert.equal(wantsToEnd(status(bit(SIGINT), none, bit(SIGINT))), false);
  assert.equal(wantsToEnd(status(bit(SIGINT), none, none, bit(SIGINT))), false);
});

test('a child that ended is nothing to give up for', () => {
  assert.equal(wantsToEnd(status(bit(SIGCHLD))), false);
});

test('an interrupt of an unknown thread is obeyed', () => {
  assert.equal(isEnding(0), true);
  assert.equal(isEnding(0x7fffffff), true);
  assert.equal(isEnding(process.pid), false);
});
