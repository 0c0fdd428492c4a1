import { requireConditions } from '../conditional.js';
import { DAVPORT_NS } from '../../webdav/types.js';
import { ShareError, statusOf } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { formatProperty } from '../live-properties.js';
import { requireUnlocked } from '../locks/enforcement.js';
import { formatPropstat, formatResponse, MultistatusWriter } from '../multistatus-writer.js';
import type { Place } from '../place.js';
import { parsePreferences, preferenceApplied } from '../prefer.js';
import {
  parsePropertyUpdate,
  planInstruction,
  type PropertyAction,
  type PropertyInstruction,
} from '../property-update.js';
import { syncStored } from '../property-store.js';
import { resourceStates } from '../resource-states.js';
import { storedHeaders } from '../stored-answer.js';
import { syncFile, syncFolder } from '../temp-file.js';
import { formatHref } from '../target-path.js';

/** RFC 4918 section 9.2: all of it or nothing. */
export async function handleProppatch(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  const instructions = parsePropertyUpdate(await exchange.smallBody());
  // Who sets posix knows links, and means the link.
  const meansLinks = instructions.some(({ ns, name }) => ns === DAVPORT_NS && name === 'posix');
  const place = context.root.locate(target.segments, !meansLinks || target.trailingSlash);
  try {
    for (let busy = context.nameLocks.inUse(place); busy; busy = context.nameLocks.inUse(place)) {
      await busy;
    }
    place.refresh();
    const stat = place.existing();
    if (place.kind === 'special' || (place.kind === 'link' && !meansLinks)) {
      throw new ShareError(403, 'neither file nor collection');
    }
    requireConditions('PROPPATCH', exchange.req.headers, stat, resourceStates(exchange));
    requireUnlocked(exchange, place, 'state');
    const outcome = applyAll(exchange, place, instructions);
    const preferences = { ...parsePreferences(exchange), noRoot: false };
    if (exchange.durable)
      await Promise.all([syncFile(place), syncFolder(place), syncStored(place.path)]);
    // What was not done makes no new version.
    if (outcome) place.refresh();
    else await context.versions.settle(place);
    if (!outcome && preferences.minimal) {
      exchange.respond(200, { ...storedHeaders(place), ...preferenceApplied(preferences) });
      return;
    }
    const href = formatHref(target.segments, place.kind === 'collection');
    const writer = new MultistatusWriter(exchange, storedHeaders(place));
    await writer.add(formatResponse(href, formatOutcome(instructions, outcome)));
    await writer.end();
  } finally {
    place.close();
  }
}

interface Failed {
  readonly at: PropertyInstruction;
  readonly status: number;
  readonly error: unknown;
}

/** Undefined: all done. In one turn of the loop, so that nobody sees a part of it. */
function applyAll(
  { context }: Exchange,
  place: Place,
  instructions: readonly PropertyInstruction[],
): Failed | undefined {
  const actions: { at: PropertyInstruction; run: PropertyAction }[] = [];
  for (const at of instructions) {
    try {
      actions.push({ at, run: planInstruction(at, place, context) });
    } catch (error) {
      return { at, status: statusOf(error), error };
    }
  }
  // The posix property may turn the file into a link, which has no extended attributes: it comes last.
  actions.sort((a, b) => Number(a.at.ns === DAVPORT_NS) - Number(b.at.ns === DAVPORT_NS));
  const undo: (() => void)[] = [];
  for (const { at, run } of actions) {
    try {
      undo.push(run());
    } catch (error) {
      for (const back of undo.reverse()) back();
      return { at, status: statusOf(error), error };
    }
  }
  return undefined;
}

function formatOutcome(
  instructions: readonly PropertyInstruction[],
  failed: Failed | undefined,
): string {
  const elements = (list: readonly PropertyInstruction[]): string =>
    [...new Set(list.map((name) => formatProperty(name, '')))].join('');
  if (!failed) return formatPropstat(200, elements(instructions));
  const condition = failed.error instanceof ShareError ? failed.error.condition : undefined;
  const error = condition ? `<D:error>${formatProperty(condition, '')}</D:error>` : '';
  const others = instructions.filter((other) => other !== failed.at);
  const rest = others.length > 0 ? formatPropstat(424, elements(others)) : '';
  return formatPropstat(failed.status, elements([failed.at]), error) + rest;
}
