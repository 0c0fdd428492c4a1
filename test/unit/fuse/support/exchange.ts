import type { Header } from './wire.js';

/** A request, the call it must become, and the reply that the answer must become. */
export interface Exchange {
  readonly what: string;
  readonly header: Header;
  readonly body?: readonly Buffer[];
  readonly method: string;
  /** Arguments before the context. */
  readonly args: readonly unknown[];
  readonly answer?: unknown;
  /** Body of the reply. */
  readonly out?: readonly Buffer[];
}

export const FH = 0x1_0000_0007;
