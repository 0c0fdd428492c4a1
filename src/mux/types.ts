import type { Duplex } from 'node:stream';
import { DavportError } from '../errors.js';

/**
 * opener: makes client_ids (the guest; whoever sends requests). acceptor: takes up ids it has not seen (the host; whoever serves).
 */
export type MuxRole = 'opener' | 'acceptor';

/**
 * One multiplexer over a `Channel` and all its sessions, one after another: it opens the channel, runs a session until it closes,
 * destroys that session's streams with `StreamResetError`, and opens again, until `close()`.
 *
 *     waiting ──session──► connected (unsynced ──first valid frame──► synced) ──onClose──► waiting … ──close()──► closed
 */
export interface Mux {
  readonly role: MuxRole;
  /** A session is open. */
  readonly connected: boolean;
  /** Set when the channel said that waiting can't help; the mux is then closed. */
  readonly failure: Error | undefined;
  onConnectedChange(listener: (connected: boolean) => void): () => void;
  /** Opener only: a stream on a fresh client_id. Throws MuxError NOT_CONNECTED when there is no session. */
  openStream(options?: OpenStreamOptions): MuxStream;
  /** Ends the present session (new prefix, new session after at least 100 ms): the peer stopped answering. */
  restartSession(reason: Error): void;
  readonly stats: MuxStats;
  close(): Promise<void>;
}

export interface OpenStreamOptions {
  /** Metadata streams' frames go first, but leave bulk streams a share. Default 'bulk'. */
  readonly priority?: 'metadata' | 'bulk';
  /** A stream with more bytes than this waiting to be read is reset alone. Default 64 MiB. */
  readonly maxUnreadBytes?: number;
}

/** Only what MuxStream adds to Duplex. `destroy()` sends the end-of-stream frame and forgets the id: nothing of it is sent any more. */
export interface MuxStream extends Duplex {
  readonly clientId: bigint;
  /** Bytes handed to the channel so far on this id: 0 means that the peer can't have seen anything. */
  readonly bytesSent: number;
  /**
   * Opener only: ends the client_id as `destroy()` does, and keeps the object: what is written next goes out on a fresh client_id, to
   * which `clientId` and `bytesSent` then belong. For a consumer that takes a connection for costly and has read an answer to its end.
   * False: the stream is of no more use, because it is over, or something is unsent or unread.
   */
  park(): boolean;
  /**
   * Acceptor only: all that has come on the client_id is answered. When the peer ends the id and has sent nothing else before, the
   * stream is parked instead of ended, and a new client_id may get it. It is for the consumer to know that a request can't have begun.
   */
  parkAtEnd(keeper: StreamKeeper): void;
  /** Of the next client_id; counts while the stream is parked. */
  priority: 'metadata' | 'bulk';
  /** When a write has called back, its bytes have left this process, and the memory may be used again. */
  readonly keepsNothing: boolean;
}

/** The consumer of an acceptor's stream that outlives its client_id. */
export interface StreamKeeper {
  /** The client_id has ended; until `onTakenUp` the stream is no connection of anybody. */
  onParked(): void;
  /** A new client_id is to get the stream. False: not now; the stream is destroyed, and `onStream` gets another one. */
  onTakenUp(): boolean;
}

export interface MuxStats {
  readonly sessions: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes thrown away while looking for the first frame of this session. */
  readonly junkBytes: number;
  readonly resyncs: number;
  readonly openStreams: number;
}

export class MuxError extends DavportError {}

/** The stream ended before its time: session closed, peer ended it, or it went over its limit of unread bytes. */
export class StreamResetError extends MuxError {
  constructor(message: string, options?: ErrorOptions) {
    super('STREAM_RESET', message, options);
  }
}
