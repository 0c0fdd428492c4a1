/** POSIX cases that a mount can't pass because WebDAV, or the server, can't say them. doc/SEMANTICS.md tells users. */
import type { Defects } from './posix-suite.js';

const NO_OWNERS = 'WebDAV has no owners: chown to others than uid= and gid= is EPERM';

/** On davport's own share. */
export const MOUNT_DEFECTS: Defects = {
  'attributes: chown of one and of both': { reason: NO_OWNERS },
  'attributes: an unprivileged writer clears the setuid bit': { reason: NO_OWNERS },
};

/** Where modes are kept as properties beside the file. */
export const FOREIGN_MOUNT_DEFECTS: Defects = {
  ...MOUNT_DEFECTS,
  'hard links': { reason: 'no hard links there: EPERM, as on FAT' },
  'attributes: the umask is applied once': {
    reason:
      'the mode given to open(2) is stored only where it makes the file executable: one request per new file less; chmod stores any',
  },
};
