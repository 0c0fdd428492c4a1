/** A PROPPATCH body (RFC 4918 section 14.19), and what each instruction in it does. */
import fs from 'node:fs';
import { parseDate } from '../webdav/http-date.js';
import { DAVPORT_NS, type PropertyName } from '../webdav/types.js';
import type { Context } from './context.js';
import { ShareError } from './errors.js';
import { at, ofFd } from './fs-path.js';
import { APACHE_NS, DAV_NS, liveProperty } from './live-properties.js';
import { convertToLink } from './link-conversion.js';
import { meansLink, setTimes, settableMode } from './metadata.js';
import { davCondition } from './multistatus-writer.js';
import type { Place } from './place.js';
import { parsePosix } from './posix-text.js';
import { toTimespec } from './timespec.js';
import { elementsOf, isElement, parseXml, textOf, type XmlElement } from './xml-reader.js';

/** Windows sets the times of a file by these. */
const MICROSOFT_NS = 'urn:schemas-microsoft-com:';

export interface PropertyInstruction extends PropertyName {
  /** Absent: remove. */
  readonly element: XmlElement | undefined;
}

/** In document order: they are done in this order (section 9.2). */
export function parsePropertyUpdate(body: Buffer): PropertyInstruction[] {
  const root = parseXml(body);
  if (!isElement(root, DAV_NS, 'propertyupdate')) {
    throw new ShareError(400, 'the body is no propertyupdate');
  }
  const instructions: PropertyInstruction[] = [];
  for (const change of elementsOf(root)) {
    const isSet = isElement(change, DAV_NS, 'set');
    if (!isSet && !isElement(change, DAV_NS, 'remove')) continue;
    const prop = elementsOf(change).find((element) => isElement(element, DAV_NS, 'prop'));
    if (!prop) throw new ShareError(400, 'an instruction without prop');
    for (const element of elementsOf(prop)) {
      const { ns, name } = element;
      instructions.push({ ns, name, element: isSet ? element : undefined });
    }
  }
  if (instructions.length === 0) throw new ShareError(400, 'nothing to set or remove');
  return instructions;
}

/** Does it, and gives the way back. Throws what the property's status is made of. */
export type PropertyAction = () => () => void;

/** Throws ShareError for an instruction that can't be done whatever the file system says. */
export function planInstruction(
  { ns, name, element }: PropertyInstruction,
  place: Place,
  context: Context,
): PropertyAction {
  if (ns === DAVPORT_NS && name === 'posix') {
    if (!element) throw protectedProperty();
    return planPosix(parsePosix(textOf(element)), place, context);
  }
  if (element && ns === APACHE_NS && name === 'executable') {
    return planExecutable(textOf(element), place);
  }
  const isTime =
    (ns === DAV_NS && name === 'getlastmodified') ||
    (ns === MICROSOFT_NS && name === 'Win32LastModifiedTime');
  if (element && isTime) {
    const mtime = parseDate(textOf(element));
    if (!mtime) throw new ShareError(409, 'no date');
    return planPosix({ mtime }, place, context);
  }
  if (ns === DAV_NS || liveProperty({ ns, name })) throw protectedProperty();
  return () => context.deadProperties.set(place.path, { ns, name }, element);
}

function protectedProperty(): ShareError {
  const condition = davCondition('cannot-modify-protected-property');
  return new ShareError(403, 'a protected property', { condition });
}

function planPosix(
  { mode, ...times }: ReturnType<typeof parsePosix>,
  place: Place,
  context: Context,
): PropertyAction {
  if (meansLink(mode) && place.kind !== 'link') {
    return () => convertToLink(context, place, times);
  }
  return () => {
    const { fd, stat } = place.pin();
    // A link's own permissions can't be set on Linux, and mean nothing.
    const isLink = stat.isSymbolicLink();
    const path = isLink ? place.path : at(fd, '');
    const calls = context.options.attributes;
    try {
      if (mode !== undefined && !isLink) fs.chmodSync(ofFd(fd), settableMode(mode));
      setTimes(stat.isDirectory() ? path : place.path, stat, times, calls);
    } finally {
      fs.closeSync(fd);
    }
    return () => {
      if (!isLink) setMode(place, Number(stat.mode));
      const [atime, mtime] = [toTimespec(stat.atimeNs), toTimespec(stat.mtimeNs)];
      setTimes(place.path, stat, { atime, mtime }, calls);
    };
  };
}

function planExecutable(text: string, place: Place): PropertyAction {
  const value = text.trim();
  if (value !== 'T' && value !== 'F') throw new ShareError(409, 'executable is T or F');
  if (place.kind !== 'file') throw protectedProperty();
  const mode = Number(place.existing().mode);
  // Who may read may execute.
  const bits = (mode & 0o444) >> 2;
  const wanted = value === 'T' ? mode | bits : mode & ~0o111;
  return () => {
    setMode(place, wanted);
    return () => setMode(place, mode);
  };
}

function setMode(place: Place, mode: number): void {
  const { fd, stat } = place.pin();
  try {
    // Never through a link that was swapped in.
    if (!stat.isSymbolicLink()) fs.chmodSync(ofFd(fd), mode & 0o7777);
  } finally {
    fs.closeSync(fd);
  }
}
