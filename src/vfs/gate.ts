import type { Node } from './node.js';

/** Runs a removal or rename of a node; uploads of it, and of what is below it, wait until it is over. */
export async function gated<T>(node: Node, change: () => Promise<T>): Promise<T> {
  while (node.gate !== undefined) await node.gate;
  const { promise, resolve } = withResolvers();
  node.gate = promise;
  try {
    return await change();
  } finally {
    node.gate = undefined;
    resolve();
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
