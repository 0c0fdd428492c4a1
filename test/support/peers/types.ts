export const PEER_KINDS = ['share', 'spice', 'chezdav', 'apache'] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

/** A program at the other end that serves a folder. */
export interface Peer {
  readonly kind: PeerKind | 'folder';
  /** What `davport mount` is given. */
  readonly channel: string;
  /** The served folder: a plain local one that tests may look into. */
  readonly dir: string;
  /** In good order. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address after `stop` or `kill`. */
  restart(): Promise<void>;
  log(): string;
  /** Gives everything in `dir` the owner that the serving program expects: call after making files there. */
  adopt(): Promise<void>;
  /** The requests answered so far, as "METHOD path" lines; undefined where the peer keeps no log of them. */
  requests(): Promise<readonly string[] | undefined>;
}
