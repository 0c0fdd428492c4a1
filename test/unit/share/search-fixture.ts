/** Queries of a SEARCH, a small tree to look in, and what is found. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { readMultistatus, type Answer, type TestShare } from './fixture.js';

export interface Query {
  readonly where?: string;
  readonly select?: string;
  readonly href?: string;
  readonly depth?: string;
  readonly rest?: string;
}

export const NAME_LIKE = (pattern: string): string =>
  `<like><prop><displayname/></prop><literal>${pattern}</literal></like>`;

export function body({ where, select, href = '/', depth = 'infinity', rest = '' }: Query): string {
  return (
    '<searchrequest xmlns="DAV:" xmlns:P="urn:davport:ns"><basicsearch>' +
    `<select>${select ?? '<prop><displayname/></prop>'}</select>` +
    `<from><scope><href>${href}</href><depth>${depth}</depth></scope></from>` +
    `${where === undefined ? '' : `<where>${where}</where>`}${rest}</basicsearch></searchrequest>`
  );
}

export function search(share: TestShare, query: Query, target = '/'): Promise<Answer> {
  return share.request('SEARCH', target, { body: body(query) });
}

/** Hrefs of what was found, and whether the result says that it was cut short. */
export async function find(
  share: TestShare,
  query: Query,
  target = '/',
): Promise<{ hrefs: string[]; cut: boolean }> {
  const answer = await search(share, query, target);
  assert.equal(answer.status, 207, answer.text);
  const cut = / 507 /.test(answer.text);
  // The response that says so has no properties.
  const told = readMultistatus(answer).filter((one) => Object.keys(one.found).length > 0);
  return { hrefs: told.map(({ href }) => href), cut };
}

export async function found(share: TestShare, where: string, more: Query = {}): Promise<string[]> {
  return (await find(share, { where, ...more })).hrefs.sort();
}

export function fill(share: TestShare): void {
  fs.mkdirSync(share.at('docs', 'old'), { recursive: true });
  fs.writeFileSync(share.at('readme.md'), 'Hello World');
  fs.writeFileSync(share.at('docs', 'Plan_1.txt'), 'x'.repeat(100));
  fs.writeFileSync(share.at('docs', 'plan%2.txt'), 'the ÄPFEL are ripe');
  fs.writeFileSync(share.at('docs', 'old', 'plan.txt'), 'x'.repeat(5000));
  fs.utimesSync(share.at('docs', 'old', 'plan.txt'), 1_000_000_000, 1_000_000_000);
}
