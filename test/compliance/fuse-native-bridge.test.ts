import { posixSuite } from './posix-suite.js';
import { startDaemon } from './fuse-daemon.js';
import { FUSE_NATIVE_DEFECTS } from './fuse-native-defects.js';

posixSuite(
  'memory over fuse-native',
  async () =>
    (await startDaemon({ bridge: 'fuse-native', options: 'allow_other', env: { TIMEOUT_MS: '0' } }))
      .dir,
  FUSE_NATIVE_DEFECTS,
);
