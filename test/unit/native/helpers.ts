import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  return readdirSync('/proc/self/fd').filter((fd) => !isOfLoader(fd)).length;
}

/** The folder of its cache, which the loader of the tests has open for a while. */
function isOfLoader(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(tmpdir(), 'tsx-'));
  } catch {
    // The descriptor that the list was read from.
    return false;
  }
}

export function throwsCode(call: () => unknown, code: string): void {
  assert.throws(call, (error: NodeJS.ErrnoException) => {
    assert.equal(error.code, code);
    return true;
  });
}
