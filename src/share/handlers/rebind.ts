/** UNBIND and REBIND (RFC 5842 sections 5 and 6) are DELETE and MOVE of a member that the body names. */
import { bindingRefused, readBindingRequest, requireCollectionConditions } from '../binding.js';
import type { Exchange } from '../exchange.js';
import { checkApart } from '../destination.js';
import { ShareError } from '../errors.js';
import { handleDelete } from './delete.js';
import { moveTo } from './move.js';

export async function handleUnbind(exchange: Exchange): Promise<void> {
  const { member } = await readBindingRequest(exchange, 'unbind');
  const refused = bindingRefused(409, 'unbind-source-exists', 'there is no such member');
  requireResource(exchange, member, refused);
  requireCollectionConditions(exchange);
  exchange.redirect(member);
  await handleDelete(exchange);
}

export async function handleRebind(exchange: Exchange): Promise<void> {
  const { member, source } = await readBindingRequest(exchange, 'rebind');
  const refused = bindingRefused(409, 'rebind-source-exists', 'there is no such resource');
  requireResource(exchange, source, refused);
  if (source.length === 0) throw new ShareError(403, 'REBIND of the root');
  requireCollectionConditions(exchange);
  exchange.redirect(source);
  const destination = { segments: member, trailingSlash: false };
  checkApart(exchange.target, destination);
  await moveTo(exchange, destination);
}

function requireResource(exchange: Exchange, path: readonly string[], refused: Error): void {
  const place = exchange.context.root.locate(path, false);
  const { kind } = place;
  place.close();
  if (kind === 'missing') throw refused;
}
