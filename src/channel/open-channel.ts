import type { Logger } from '../log.js';
import type { NativeBinding } from '../native/binding.js';
import type { ChannelAddress } from './address.js';
import type { Channel } from './channel.js';
import { ChannelError } from './errors.js';
import { ExecChannel } from './exec.js';
import { FdChannel } from './fd.js';
import { ListenChannel } from './listener.js';
import { SocketChannel } from './socket.js';
import { VirtioPortChannel } from './virtio-port.js';

export interface OpenChannelOptions {
  readonly log: Logger;
  /** As `loadNativeBinding()` returns it. */
  readonly binding: NativeBinding | Error;
}

/** The channel of an address. It isn't opened yet: its first `open()` does that. */
export function openChannel(address: ChannelAddress, options: OpenChannelOptions): Channel {
  const { log, binding } = options;
  switch (address.kind) {
    case 'virtio':
      if (binding instanceof Error) {
        throw new ChannelError(
          'CHANNEL_FAILED',
          `${address.text}: a virtio port needs the native addon; build it with: npm run build:native`,
          { cause: binding },
        );
      }
      return new VirtioPortChannel(address.text, address.port, { binding, log });
    case 'unix':
    case 'tcp':
      return new SocketChannel(address, log);
    case 'unix-listen':
    case 'tcp-listen':
      return new ListenChannel(address, log);
    case 'fd':
    case 'stdio':
      return new FdChannel(address, { binding });
    case 'exec':
      return new ExecChannel(address, log);
  }
}
