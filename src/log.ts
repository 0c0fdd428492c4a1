/** Small named values beside a message. Never a credential, never a body. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** False for a level that goes nowhere, so that hot paths need not build its fields. */
  enabled(level: LogLevel): boolean;
}

const nothing = (): void => undefined;
export const silentLogger: Logger = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  enabled: () => false,
};

/** A field is quoted as JSON when it has a space, a quote or a control character in it: one event stays one line. */
function formatField(value: string | number | boolean): string {
  const text = String(value);
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text) ? text : JSON.stringify(text);
}

export function formatLogLine(level: LogLevel, message: string, fields?: LogFields): string {
  let line = `davport: ${level}: ${message.replace(/[\x00-\x1f\x7f]/g, ' ')}`;
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) line += ` ${key}=${formatField(value)}`;
  }
  return line;
}

/** A logger that hands whole lines (without newline) to `write`, for levels up to `level`. */
export function createLogger(level: LogLevel, write: (line: string) => void): Logger {
  const limit = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel) => {
    if (LOG_LEVELS.indexOf(own) > limit) return nothing;
    return (message: string, fields?: LogFields): void =>
      write(formatLogLine(own, message, fields));
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    enabled: (own) => LOG_LEVELS.indexOf(own) <= limit,
  };
}
