import { OPCODES, type OpcodeName } from '../protocol.js';
import { ATTRIBUTE_OPERATIONS } from './attributes.js';
import { DIRECTORY_OPERATIONS } from './directories.js';
import { FILE_OPERATIONS } from './files.js';
import { LOCK_OPERATIONS } from './locks.js';
import { NAME_OPERATIONS } from './names.js';
import type { Operation } from './operation.js';

const rows: Partial<Record<OpcodeName, Operation<unknown>>> = {
  ...NAME_OPERATIONS,
  ...ATTRIBUTE_OPERATIONS,
  ...FILE_OPERATIONS,
  ...DIRECTORY_OPERATIONS,
  ...LOCK_OPERATIONS,
};

/** Opcode → its operation. The ones that are not here and that the session does not handle itself are answered with ENOSYS. */
export const OPERATIONS: readonly (Operation<unknown> | undefined)[] = (() => {
  const table: (Operation<unknown> | undefined)[] = [];
  for (const [name, code] of Object.entries(OPCODES)) table[code] = rows[name as OpcodeName];
  return table;
})();
