/**
 * What a command of the command line is: one table of options, help and examples, and what it does.
 */

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** It was tried and did not work, or not all of it. */
  failed: 1,
  /** What was asked for makes no sense: nothing was tried. */
  usage: 2,
} as const;

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of the value in help texts; absent for a switch. */
  readonly value?: string;
  /** The legal values, when they are few. */
  readonly choices?: readonly string[];
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly help: string;
}

export interface Example {
  readonly line: string;
  readonly says: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** What follows "davport NAME". */
  readonly usage: string;
  readonly description: readonly string[];
  readonly positionals: { readonly min: number; readonly max: number };
  readonly options: readonly OptionSpec[];
  /** Further lines of help, computed when asked for. */
  readonly more?: () => readonly string[];
  readonly examples: readonly Example[];
  run(args: ParsedArgs, io: CliIo): Promise<number>;
}

export interface ParsedArgs {
  readonly positionals: readonly string[];
  /** Switches that were given. */
  has(name: string): boolean;
  /** The last value given. */
  value(name: string): string | undefined;
  values(name: string): readonly string[];
}

/** What a command knows of the world around it. */
export interface CliIo {
  out(line: string): void;
  err(line: string): void;
  /** To the standard output, as it is. */
  write(bytes: Buffer): void;
  /** The standard output is one. */
  readonly isTerminal: boolean;
  /** Nobody reads the standard output any more. */
  readonly outputClosed: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}
