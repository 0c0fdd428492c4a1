/** What programs expect of a POSIX file system: name → case. Run on any folder, mounted or not. */
import { ATTRIBUTE_CASES } from './posix/attribute-cases.js';
import { DATA_CASES } from './posix/data-cases.js';
import { DIRECTORY_CASES } from './posix/directory-cases.js';
import { NAME_CASES } from './posix/name-cases.js';
import { OPEN_CASES } from './posix/open-cases.js';
import { PARALLEL_CASES } from './posix/parallel-cases.js';
import type { PosixCases } from './posix/tools.js';

export const POSIX_CASES: PosixCases = {
  ...OPEN_CASES,
  ...DATA_CASES,
  ...NAME_CASES,
  ...ATTRIBUTE_CASES,
  ...DIRECTORY_CASES,
  ...PARALLEL_CASES,
};
