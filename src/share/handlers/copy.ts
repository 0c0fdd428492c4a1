import { requireConditions } from '../conditional.js';
import {
  checkOverwrite,
  locateDestination,
  parseDestination,
  parseOverwrite,
  respondFailures,
} from '../destination.js';
import { ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { dropUnmapped, requireUnlocked } from '../locks/enforcement.js';
import { resourceStates } from '../resource-states.js';
import { stageCopy } from '../stage-copy.js';
import { storedHeaders } from '../stored-answer.js';
import { syncFolder } from '../temp-file.js';

/** RFC 4918 section 9.8. Shares blocks where the file system can, and never sends a byte to the client. */
export async function handleCopy(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  const depth = exchange.header('depth') ?? 'infinity';
  if (depth !== '0' && depth !== 'infinity') throw new ShareError(400, 'Depth is 0 or infinity');
  const destination = parseDestination(exchange);
  const overwrite = parseOverwrite(exchange);
  const from = context.root.locate(target.segments, true);
  try {
    const stat = from.existing();
    const checkConditions = (): void => {
      requireConditions('COPY', exchange.req.headers, stat, resourceStates(exchange));
    };
    checkConditions();
    const to = locateDestination(exchange, destination);
    try {
      const check = (): void => {
        // A long copy is put in place long after it was asked for.
        checkConditions();
        checkOverwrite(to, overwrite);
        // A file that gets other content keeps its name.
        const inPlace = from.kind === 'file' && (to.kind === 'file' || to.kind === 'missing');
        requireUnlocked(exchange, to, inPlace ? 'state' : 'name', destination.segments);
      };
      check();
      const created = to.kind === 'missing';
      const { durable } = exchange;
      const deep = depth === 'infinity';
      const failures = await stageCopy({
        ...{ context, from, to, overwrite, deep, durable, check },
        updates: true,
      });
      dropUnmapped(context, to, destination.segments);
      if (durable) await syncFolder(to);
      await context.versions.settle(to);
      if (failures.length > 0) await respondFailures(exchange, destination.segments, failures);
      else exchange.respond(created ? 201 : 204, storedHeaders(to));
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}
