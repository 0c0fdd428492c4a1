import fs from 'node:fs';
import { requireIf } from '../conditional.js';
import { ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { FileAnswer } from '../file-answer.js';
import { answerListing } from '../listing-page/listing-page.js';
import type { Place } from '../place.js';
import { resourceStates } from '../resource-states.js';
import { answerSmallFile } from '../small-file.js';

/** GET and HEAD (RFC 9110 sections 9.3.1, 9.3.2). */
export async function handleGet(exchange: Exchange): Promise<void> {
  const { context, target } = exchange;
  const place = context.root.locate(target.segments, true);
  try {
    place.existing();
    if (context.tempNames.isActive(place.name)) throw new ShareError(404, 'not there yet');
    if (place.kind === 'collection') {
      requireIf(exchange.req.headers, place.stat, resourceStates(exchange));
      await answerListing(exchange, place);
      return;
    }
    if (!answerSmallFile(exchange, place)) await answerFile(exchange, place);
  } finally {
    place.close();
  }
}

/** Half of a change in place is no version: it is waited for. */
async function answerFile(exchange: Exchange, place: Place): Promise<void> {
  for (;;) {
    const { fd, stat } = place.openFile();
    const changing = exchange.context.contentLocks.beingChanged(stat);
    if (!changing) {
      const answer = new FileAnswer(exchange, place.name, fd, stat);
      try {
        await answer.send();
        return;
      } finally {
        answer.close();
      }
    }
    fs.closeSync(fd);
    await changing;
  }
}
