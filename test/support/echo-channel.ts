/** A process that sends back what comes in on the channel named by its argument, until it ends; exits with 3 if it can't be reopened. */
import { isChannelAddress, parseAddress } from '../../src/channel/address.js';
import type { ChannelSession } from '../../src/channel/channel.js';
import { ChannelError } from '../../src/channel/errors.js';
import { openChannel } from '../../src/channel/open-channel.js';
import { silentLogger } from '../../src/log.js';
import { loadNativeBinding } from '../../src/native/binding.js';

const address = parseAddress(process.argv[2] ?? 'stdio:');
if (!isChannelAddress(address)) throw new Error('no channel address');
const channel = openChannel(address, { log: silentLogger, binding: loadNativeBinding() });
const never = new AbortController().signal;

const session: ChannelSession = await channel.open(
  {
    onData: (chunk) => session.write([chunk]),
    onDrain: () => undefined,
    onClose: () => {
      channel
        .open({ onData: fail, onDrain: fail, onClose: fail }, never)
        .catch((error: unknown) => {
          const refused = error instanceof ChannelError && error.code === 'CHANNEL_CLOSED';
          process.exitCode = refused ? 3 : 1;
        });
    },
  },
  never,
);

function fail(): void {
  process.exitCode = 2;
}
