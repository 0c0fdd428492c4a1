import assert from 'node:assert/strict';
import { isChannelAddress, parseAddress } from '../../src/channel/address.js';
import type { Channel } from '../../src/channel/channel.js';
import type { ChannelErrorCode } from '../../src/channel/errors.js';
import { ChannelError } from '../../src/channel/errors.js';
import { openChannel } from '../../src/channel/open-channel.js';
import { silentLogger } from '../../src/log.js';

export function channelOf(text: string): Channel {
  const address = parseAddress(text);
  assert.ok(isChannelAddress(address));
  return openChannel(address, { log: silentLogger, binding: new Error('no addon') });
}

/** Returns the message. */
export async function rejectsWith(
  promise: Promise<unknown>,
  code: ChannelErrorCode,
): Promise<string> {
  let message = '';
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ChannelError);
    assert.equal(error.code, code);
    message = error.message;
    return true;
  });
  return message;
}
