import { posixSuite } from './posix-suite.js';
import { startDaemon } from './fuse-daemon.js';

posixSuite(
  'memory over the kernel bridge',
  async () => (await startDaemon({ bridge: 'kernel', options: 'allow_other' })).dir,
);

posixSuite(
  'memory over the kernel bridge, cached for a second',
  async () =>
    (await startDaemon({ bridge: 'kernel', options: 'allow_other', env: { TIMEOUT_MS: '1000' } }))
      .dir,
);
