/** From a PROPFIND request to the DAV:response of each resource. Compiled once per request, run once per member. */
import { DAVPORT_NS, type PropertyName } from '../webdav/types.js';
import type { DeadProperties } from './dead-properties.js';
import {
  DAV_NS,
  formatProperty,
  LIVE_PROPERTIES,
  liveProperty,
  tagOf,
  type Subject,
} from './live-properties.js';
import type { LockDiscovery } from './locks/lock-properties.js';
import { formatPropstat, formatResponse } from './multistatus-writer.js';
import type { PropfindRequest } from './propfind-request.js';

/** Whole DAV:response of a resource. */
export type Report = (href: string, subject: Subject) => string;

/** One named property: its element, or undefined where the resource has it not. */
interface Column {
  readonly empty: string;
  readonly element: (subject: Subject) => string | undefined;
}

/** `minimal`: leaves out what isn't there (RFC 8144 section 2.1). */
export function compileReport(
  request: PropfindRequest,
  dead: DeadProperties,
  minimal: boolean,
  discovery?: LockDiscovery,
): Report {
  switch (request.kind) {
    case 'prop':
      return reportColumns(
        request.names.map((name) => column(name, dead, discovery)),
        !minimal,
      );
    case 'allprop':
      return reportAll(request.include, dead, discovery);
    case 'propname':
      return reportNames(dead, discovery);
  }
}

/** Does it ask for properties that a file may have been given? */
export function namesDead(request: PropfindRequest): boolean {
  const names = request.kind === 'prop' ? request.names : undefined;
  return !names || names.some((name) => name.ns !== DAV_NS && !liveProperty(name));
}

/** Does the client know what symbolic links are? Then it is shown them instead of what they lead to. */
export function namesPosix(request: PropfindRequest): boolean {
  const names = request.kind === 'prop' ? request.names : [];
  return names.some(({ ns, name }) => ns === DAVPORT_NS && name === 'posix');
}

function column(
  property: PropertyName,
  dead: DeadProperties,
  discovery: LockDiscovery | undefined,
): Column {
  const empty = formatProperty(property, '');
  const live = liveProperty(property);
  if (live) {
    const { start, end } = tagOf(property);
    return {
      empty,
      element: (subject) => {
        const content = live.value(subject, discovery);
        if (content === undefined) return undefined;
        return content === '' ? empty : `<${start}>${content}</${end}>`;
      },
    };
  }
  // No file has dead properties in DAV:, so the many names there that we don't know cost no system call.
  if (property.ns === DAV_NS) return { empty, element: () => undefined };
  return {
    empty,
    element: ({ path, hasDeadProperties }) =>
      hasDeadProperties === false ? undefined : dead.get(path, property),
  };
}

function reportColumns(columns: readonly Column[], tellMissing: boolean): Report {
  return (href, subject) => {
    let found = '';
    let missing = '';
    for (const { empty, element } of columns) {
      const text = element(subject);
      if (text === undefined) missing += empty;
      else found += text;
    }
    let propstats = '';
    if (found !== '' || missing === '' || !tellMissing) propstats = formatPropstat(200, found);
    if (missing !== '' && tellMissing) propstats += formatPropstat(404, missing);
    return formatResponse(href, propstats);
  };
}

function reportAll(
  include: readonly PropertyName[],
  dead: DeadProperties,
  discovery: LockDiscovery | undefined,
): Report {
  const standard = LIVE_PROPERTIES.filter(
    (property) => !property.onRequest || include.some((name) => isSame(name, property)),
  );
  const columns = standard.map((property) => column(property, dead, discovery));
  return (href, subject) => {
    const live = columns.map(({ element }) => element(subject) ?? '').join('');
    const others = subject.hasDeadProperties === false ? '' : dead.elements(subject.path);
    return formatResponse(href, formatPropstat(200, live + others));
  };
}

function reportNames(dead: DeadProperties, discovery: LockDiscovery | undefined): Report {
  return (href, subject) => {
    const live = LIVE_PROPERTIES.filter(
      (property) => property.onRequest || property.value(subject, discovery) !== undefined,
    );
    const names = [...live, ...deadNames(subject, dead)];
    const elements = names.map((name) => formatProperty(name, '')).join('');
    return formatResponse(href, formatPropstat(200, elements));
  };
}

function deadNames({ path, hasDeadProperties }: Subject, dead: DeadProperties): PropertyName[] {
  return hasDeadProperties === false ? [] : dead.list(path);
}

function isSame(a: PropertyName, b: PropertyName): boolean {
  return a.ns === b.ns && a.name === b.name;
}
