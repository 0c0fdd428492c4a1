import { startPeer } from '../support/peers/index.js';
import { mountPeer } from '../support/scenario.js';
import { makeTempDir } from '../support/temp-dir.js';
import { FOREIGN_MOUNT_DEFECTS } from './mount-defects.js';
import { posixSuite } from './posix-suite.js';

posixSuite(
  'a mount of chezdav',
  async () => {
    const peer = await startPeer('chezdav', makeTempDir('davport-served-'));
    return (await mountPeer(peer)).dir;
  },
  FOREIGN_MOUNT_DEFECTS,
);
