import { DavportError } from '../errors.js';

export type ChannelErrorCode =
  'CHANNEL_NOT_FOUND' | 'CHANNEL_BUSY' | 'CHANNEL_PERMISSION' | 'CHANNEL_CLOSED' | 'CHANNEL_FAILED';

/** The byte pipe itself can't be had or broke. The message names the remedy. */
export class ChannelError extends DavportError {
  declare readonly code: ChannelErrorCode;

  constructor(code: ChannelErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
