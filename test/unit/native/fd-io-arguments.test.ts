import assert from 'node:assert/strict';
import { constants, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { FdIo } from '../../../src/native/binding.js';
import { binding, socketPair, throwsCode } from './helpers.js';

test('system call errors have code, errno, syscall and path as those of node:fs', () => {
  let thrown: NodeJS.ErrnoException | undefined;
  try {
    binding.open('/nonexistent/file', 0);
  } catch (error) {
    thrown = error as NodeJS.ErrnoException;
  }
  let own: NodeJS.ErrnoException | undefined;
  try {
    openSync('/nonexistent/file', 'r');
  } catch (error) {
    own = error as NodeJS.ErrnoException;
  }
  assert.ok(thrown instanceof Error && own !== undefined);
  assert.equal(thrown.message, own.message);
  for (const key of ['code', 'errno', 'syscall', 'path'] as const) {
    assert.equal(thrown[key], own[key]);
  }
});

test('descriptors are non-blocking and not inherited', () => {
  const fd = openSync('/dev/null', 'r');
  const io = binding.openFd(fd);
  const flags = /flags:\s+0?([0-7]+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  const bits = Number.parseInt(flags![1]!, 8);
  assert.ok(bits & constants.O_NONBLOCK);
  assert.ok(bits & 0o2000000, 'O_CLOEXEC');
  io.close();
  throwsCode(() => binding.openFd(fd), 'EBADF');
});

test('wrong arguments are TypeErrors or RangeErrors that name the argument', () => {
  const [near, far] = socketPair();
  const loose = near as unknown as Record<string, (...args: unknown[]) => unknown>;
  const open = binding as unknown as Record<string, (...args: unknown[]) => unknown>;
  const typeErrors: [() => unknown, RegExp][] = [
    [() => loose['read']!(), /buffer/],
    [() => loose['read']!(new Uint16Array(4)), /buffer/],
    [() => loose['writev']!('text'), /buffers/],
    [() => loose['writev']!(['text']), /each buffer/],
    [() => loose['readBatch']!(Buffer.alloc(8), Buffer.alloc(8), 8), /ends/],
    [() => loose['readBatch']!(Buffer.alloc(8), new Uint32Array(1), 8, '5'), /spinUs/],
    [() => loose['watch']!(1, 0, () => undefined), /readable/],
    [() => loose['watch']!(true, true), /callback/],
    [() => open['openFd']!('3'), /fd/],
    [() => open['open']!(3, 0), /path/],
    [() => open['open']!('a\0b', 0), /NUL/],
    [() => open['mountFuse']!('x', 'y'), /type/],
    [() => open['getxattr']!('x'), /name/],
  ];
  for (const [call, message] of typeErrors) {
    assert.throws(
      call,
      (error: Error) => error instanceof TypeError && message.test(error.message),
    );
  }
  for (const call of [
    () => near.read(Buffer.alloc(4), 4),
    () => near.read(Buffer.alloc(4), -1),
    () => near.read(Buffer.alloc(4), 1.5),
    () => near.read(Buffer.alloc(0)),
    () => binding.openFd(Number.NaN),
    () => binding.openFd(2 ** 40),
  ]) {
    assert.throws(call, RangeError);
  }
  const Class = (near as unknown as { constructor: new () => FdIo }).constructor;
  const empty = new Class();
  assert.throws(() => empty.fd, TypeError);
  assert.throws(() => empty.read(Buffer.alloc(1)), TypeError);
  assert.throws(() => loose['poll']!.call({}), TypeError);
  near.close();
  far.close();
});
