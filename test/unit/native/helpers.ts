import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  loadNativeBinding,
  type FdIo,
  type NativeBinding,
  type Readiness,
} from '../../../src/native/binding.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function load(): NativeBinding {
  const loaded = loadNativeBinding();
  if (loaded instanceof Error) throw loaded;
  return loaded;
}

export const binding = load();

/** Two ends of a stream socket. */
export function socketPair(): [FdIo, FdIo] {
  const [one, other] = binding.socketPair();
  return [binding.openFd(one), binding.openFd(other)];
}

/** The next event of `io`; the watch is stopped then. */
export function nextReady(io: FdIo, readable: boolean, writable: boolean): Promise<Readiness> {
  return new Promise((resolve) => {
    io.watch(readable, writable, (ready) => {
      if (io.fd >= 0) io.watch(false, false, () => undefined);
      resolve(ready);
    });
  });
}

export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

export function throwsCode(call: () => unknown, code: string): void {
  assert.throws(call, (error: NodeJS.ErrnoException) => {
    assert.equal(error.code, code);
    return true;
  });
}
