import { startPeer } from '../support/peers/index.js';
import { mountPeer } from '../support/scenario.js';
import { makeTempDir } from '../support/temp-dir.js';
import { MOUNT_DEFECTS } from './mount-defects.js';
import { posixSuite } from './posix-suite.js';

posixSuite(
  'a mount of share',
  async () => {
    const peer = await startPeer('share', makeTempDir('davport-served-'));
    return (await mountPeer(peer)).dir;
  },
  MOUNT_DEFECTS,
);
