import type { Node } from './node.js';

/** A removal or rename on the way, of the file or of a folder above: an upload must wait for its outcome. */
export function gateOf(node: Node): Promise<void> | undefined {
  for (let at: Node | undefined = node; at !== undefined; at = at.parent)
    if (at.gate !== undefined) return at.gate;
  return undefined;
}

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
