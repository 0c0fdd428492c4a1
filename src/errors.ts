/**
 * The base of every error that davport raises on purpose. `code` is stable and is what callers branch on;
 * `message` is for people and says what to do next where there is something to do.
 */
export class DavportError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Bad input by the user: one clear line with the remedy; the command line exits with 2. */
export class UsageError extends DavportError {
  constructor(message: string, options?: ErrorOptions) {
    super('USAGE', message, options);
  }
}
