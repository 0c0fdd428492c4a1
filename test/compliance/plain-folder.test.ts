/** The cases themselves are tested on a folder of the local file system. */
import { makeTempDir } from '../support/temp-dir.js';
import { posixSuite } from './posix-suite.js';

posixSuite('plain folder', () => Promise.resolve(makeTempDir('davport-posix-')));
