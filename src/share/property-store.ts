/**
 * Properties beside the files, for what extended attributes can't take: file systems without them, and values that are too large. A
 * folder that needs it has one hidden folder, with a small file for each resource: `self` for the folder itself, and for each of its
 * other members one by the hash of the name (a name of 255 bytes leaves no room for anything else). So what belongs to a folder and all
 * below goes wherever the folder goes, and what belongs to a file is taken along by `moveStored`. A local program that renames a file
 * leaves it behind.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { encodeName } from '../names.js';
import { errnoCode, ShareError } from './errors.js';
import { FolderReader } from './folder-reader.js';
import { at, partsOf, PIN_FOLDER, STORE_NAME, unlinkIfThere, type FsPath } from './fs-path.js';
import { openRegularFile } from './place.js';

/** Values by whatever names them. */
export type StoredProperties = ReadonlyMap<string, string>;

/** Ours: of all properties of one resource. */
const MAX_STORED_BYTES = 1024 * 1024;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
const NONE: StoredProperties = new Map();
const fsync = promisify(fs.fsync);

/** A name in an open hidden folder. */
interface Slot {
  /** The folder that has it. */
  readonly folder: number;
  readonly store: number;
  readonly key: string;
}

/** Whose slot: that of what is at the path now, or that of a name, whatever it is the name of. */
type By = 'resource' | 'name';

export function readStored(path: FsPath): StoredProperties {
  return withSlot(path, 'resource', readSlot) ?? NONE;
}

/** All of them at once, by one rename. Throws ShareError 507 for more than is kept. */
export function writeStored(path: FsPath, properties: StoredProperties): void {
  write(path, 'resource', properties);
}

/** Of the name of a file: it is gone, or it is new and had a predecessor that a local program removed. */
export function forgetStored(path: FsPath): void {
  afterTheFact(() => withSlot(path, 'name', clearSlot));
}

/** What was at `from` is at `to` now. */
export function moveStored(from: FsPath, to: FsPath): void {
  afterTheFact(() => {
    write(to, 'name', withSlot(from, 'name', readSlot) ?? NONE);
    withSlot(from, 'name', clearSlot);
  });
}

/** `to` is one more name of the file at `from`. From here on each name has its own. */
export function copyStored(from: FsPath, to: FsPath): void {
  afterTheFact(() => write(to, 'name', withSlot(from, 'name', readSlot) ?? NONE));
}

/** The file has gone or moved, and the request is done: an error of the file system here doesn't undo that. */
function afterTheFact(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoCode(error) === undefined) throw error;
  }
}

/** Has the open folder properties of members beside them? */
export function hasStore(folder: number): boolean {
  try {
    return fs.lstatSync(at(folder, STORE_NAME), MAY_BE_GONE) !== undefined;
  } catch (error) {
    // It may be listed, but nothing in it be looked at.
    if (errnoCode(error) === 'EACCES') return false;
    throw error;
  }
}

export async function syncStored(path: FsPath): Promise<void> {
  const files = withSlot(path, 'resource', openSlot) ?? [];
  try {
    for (const fd of files) await fsync(fd);
  } finally {
    for (const fd of files) fs.closeSync(fd);
  }
}

/** Takes the hidden folder from a folder that has nothing else. False: it has members. */
export function dropStore(path: FsPath): boolean {
  const folder = new FolderReader(path);
  try {
    if (folder.next() !== undefined) return false;
    emptyStore(at(folder.fd, STORE_NAME));
    return true;
  } finally {
    folder.close();
  }
}

/** What has the name but is no folder goes, too. */
function emptyStore(path: FsPath): void {
  let store: FolderReader;
  try {
    store = new FolderReader(path);
  } catch (error) {
    if (errnoCode(error) === 'EACCES') throw error;
    unlinkIfThere(path);
    return;
  }
  try {
    for (let entry = store.next(); entry; entry = store.next()) unlinkIfThere(entry.path);
  } finally {
    store.close();
  }
  fs.rmdirSync(path);
}

function write(path: FsPath, by: By, properties: StoredProperties): void {
  if (properties.size === 0) {
    withSlot(path, by, clearSlot);
    return;
  }
  const text = JSON.stringify({ properties: Object.fromEntries(properties) });
  if (Buffer.byteLength(text) > MAX_STORED_BYTES) {
    throw new ShareError(507, 'too much for the properties of one resource');
  }
  withSlot(path, by, (slot) => writeSlot(slot, text), true);
}

/** Does `work`, if there is a slot or one is to be made. */
function withSlot<T>(path: FsPath, by: By, work: (slot: Slot) => T, make = false): T | undefined {
  const isFolder = by === 'resource' && fs.lstatSync(path, MAY_BE_GONE)?.isDirectory() === true;
  if (isFolder) {
    const folder = fs.openSync(path, PIN_FOLDER);
    try {
      return withStore(folder, make, (store) => work({ folder, store, key: SELF }));
    } finally {
      fs.closeSync(folder);
    }
  }
  const { fd: folder, name } = partsOf(path) ?? { fd: -1, name: '' };
  // An opened folder itself has no name here.
  if (name === '') return undefined;
  return withStore(folder, make, (store) => work({ folder, store, key: keyOf(name) }));
}

const MAY_BE_GONE = { throwIfNoEntry: false } as const;

/** Key of a folder's own properties. No hash is like it. */
const SELF = 'self';

function keyOf(name: string): string {
  return createHash('sha256').update(encodeName(name)).digest('hex');
}

function withStore<T>(folder: number, make: boolean, work: (store: number) => T): T | undefined {
  if (!make && !hasStore(folder)) return undefined;
  const store = make ? makeStore(folder) : openStore(folder);
  if (store === undefined) return undefined;
  try {
    return work(store);
  } finally {
    fs.closeSync(store);
  }
}

/** Undefined: it went, or it is not one of ours. */
function openStore(folder: number): number | undefined {
  try {
    return fs.openSync(at(folder, STORE_NAME), PIN_FOLDER);
  } catch (error) {
    if (errnoCode(error) === undefined) throw error;
    return undefined;
  }
}

function makeStore(folder: number): number {
  const path = at(folder, STORE_NAME);
  try {
    fs.mkdirSync(path);
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
  }
  const store = openStore(folder);
  if (store === undefined) throw new ShareError(409, `${STORE_NAME} is no folder`);
  return store;
}

function fileOf({ store, key }: Slot): FsPath {
  return at(store, `${key}.json`);
}

function readSlot(slot: Slot): StoredProperties {
  const text = readBounded(fileOf(slot));
  return text === undefined ? NONE : parse(text);
}

/** Undefined: there is none, or what is there was not made by us. */
function readBounded(path: FsPath): string | undefined {
  if (fs.lstatSync(path, MAY_BE_GONE)?.isFile() !== true) return undefined;
  const { fd, stat } = openRegularFile(path);
  try {
    return stat.size > MAX_STORED_BYTES ? undefined : fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}

function parse(text: string): StoredProperties {
  try {
    const { properties } = JSON.parse(text) as { properties: Readonly<Record<string, unknown>> };
    const entries = Object.entries(properties);
    return new Map(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return NONE;
  }
}

function writeSlot(slot: Slot, text: string): void {
  const unfinished = at(slot.store, `${slot.key}.new`);
  // Of a process that was killed here.
  unlinkIfThere(unfinished);
  const fd = fs.openSync(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666);
  try {
    fs.writeFileSync(fd, text);
    fs.renameSync(unfinished, fileOf(slot));
  } catch (error) {
    unlinkIfThere(unfinished);
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

function clearSlot(slot: Slot): void {
  unlinkIfThere(fileOf(slot));
  try {
    fs.rmdirSync(at(slot.folder, STORE_NAME));
  } catch (error) {
    // Others' properties are still in it.
    if (errnoCode(error) !== 'ENOTEMPTY') throw error;
  }
}

/** The file with the properties and the folder that has its name. */
function openSlot(slot: Slot): number[] {
  if (fs.lstatSync(fileOf(slot), MAY_BE_GONE) === undefined) return [];
  const { fd: file } = openRegularFile(fileOf(slot));
  try {
    return [file, fs.openSync(at(slot.store, ''), O_RDONLY)];
  } catch (error) {
    fs.closeSync(file);
    throw error;
  }
}
