/** What proc(5) tells of processes. */
import { readFileSync, readdirSync } from 'node:fs';

export const processes = (): number[] => readdirSync('/proc').map(Number).filter(Boolean);

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

export const argumentsOf = (pid: number): string => readOrNothing(`/proc/${pid}/cmdline`);
export const environmentOf = (pid: number): string => readOrNothing(`/proc/${pid}/environ`);
const statusOf = (pid: number): string => readOrNothing(`/proc/${pid}/status`);
export const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(statusOf(pid))?.[1]);

/** In MiB. */
export const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(statusOf(pid))?.[1] ?? 0) / 1024;

/** utime and stime, in seconds: they are told in ticks of 10 ms. */
export function busyOf(pid: number): number {
  const fields = readOrNothing(`/proc/${pid}/stat`).split(') ').at(-1)!.split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

/** Over a process and its children. */
export function sumOf(pid: number, figure: (pid: number) => number): number {
  const all = [pid, ...processes().filter((each) => parentOf(each) === pid)];
  return all.map(figure).reduce((sum, each) => sum + each, 0);
}
