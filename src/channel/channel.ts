/**
 * A channel is an ordered byte pipe to the other side that opens and closes any number of times. The time between
 * opened and closed is a channel session; nothing survives from one session to the next.
 *
 *     Channel:  idle ──open()──► session ──onClose──► idle ──open()──► … ──close()──► closed
 */
export interface Channel {
  /** The address as the user wrote it; for messages. */
  readonly address: string;

  /**
   * Waits until the channel can be used, then starts a session that reports to `sink`.
   * One session at a time: REQUIRES that the former session has ended.
   * Waits for ever while the other side is only absent (with back-off, never a busy loop). Rejects with `signal.reason`
   * when aborted, and with a `ChannelError` when waiting can't help (no such device, not permitted, in use).
   * `sink` is first called after the promise has resolved.
   */
  open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession>;

  /** Ends the session, releases the device or listener. Idempotent. */
  close(): Promise<void>;
}

export interface ChannelSink {
  /** Bytes from the other side, in order. The buffer is the sink's own from now on; nobody writes to it again. */
  onData(chunk: Buffer): void;
  /** Everything that `write` accepted so far has left, after a `write` that returned false. */
  onDrain(): void;
  /** The session is over; called exactly once, also after `close()`. Absent error: the other side closed in good order. */
  onClose(error?: Error): void;
}

export interface ChannelSession {
  /** True: when `write` returns true, and at `onDrain`, no byte of it is queued here; the buffers are the caller's again. */
  readonly keepsNothing?: boolean;
  /**
   * Queues the buffers, in order, without copying: they must not change while they are queued.
   * False: the queue is over its high-water mark; write no more until `onDrain`. Never throws; after the end it does nothing.
   */
  write(buffers: readonly Uint8Array[]): boolean;
  /**
   * Asks for no more `onData` until `resume`; the end of the session is still reported. Both or neither are there; a sink
   * whose session has neither must take what comes.
   */
  pause?(): void;
  resume?(): void;
  /** Ends the session. What is queued may be lost. Idempotent. */
  close(): void;
}
