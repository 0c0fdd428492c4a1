/** The feed of changes of our own share (doc/EXTENSIONS.md), as the client has it. */
import type { CallOptions, PosixProperty } from './types.js';

/** A question whose answer is to stay true until a feed of changes says otherwise. */
export interface CoveredQuestion {
  /** The id of the feed. */
  readonly feed: string;
  /** Set by the answer (also by "not found"): what changes from its making on is told by that feed. */
  covered: boolean;
}

export interface AskOptions extends CallOptions {
  readonly question?: CoveredQuestion | undefined;
}

/** What is asked of a feed while it lasts. */
export interface FeedQuestions {
  /** "Has everything been told?" Numbers ascend. */
  ask(question: number): void;
}

/** What a feed tells. Paths as everywhere here. */
export type Change =
  /** Something is there that is, or was when this was told, of that version. */
  | {
      readonly kind: 'changed';
      readonly path: string;
      readonly etag: string;
      readonly posix: PosixProperty;
    }
  | { readonly kind: 'gone'; readonly path: string }
  /** Changes of that folder and in it are told no more. */
  | { readonly kind: 'forget'; readonly path: string }
  /** Nothing is told any more of what was asked so far. */
  | { readonly kind: 'reset' };

export interface ChangesListener {
  /** `questions`: where the peer takes them. */
  onOpen(feed: string, questions: FeedQuestions | undefined): void;
  /** Everything that had changed when this question, or one before it, was asked (`FeedQuestions`) has been told by now. */
  onTold(question: number): void;
  /** The feed is alive. */
  onSign(): void;
  onChange(change: Change): void;
}
