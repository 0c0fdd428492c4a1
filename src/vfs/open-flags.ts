/** O_* of open(2) on Linux, as the kernel passes them on (asm-generic; x86-64). */
export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;

/** Linux truncates with O_RDONLY | O_TRUNC too. */
export function changes(flags: number): boolean {
  return isWriter(flags) || (flags & O_TRUNC) !== 0;
}

export function isWriter(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY;
}
