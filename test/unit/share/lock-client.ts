/** A client that locks. */
import assert from 'node:assert/strict';
import { parseXml, textOf, type XmlElement } from '../../../src/share/xml-reader.js';
import type { Answer, TestShare } from './fixture.js';

export const PROPERTY =
  '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="urn:x">blue</c></prop></set></propertyupdate>';

export const bind = (segment: string, href: string, name = 'bind'): string =>
  `<${name} xmlns="DAV:"><segment>${segment}</segment><href>${href}</href></${name}>`;

export interface LockOptions {
  readonly scope?: 'exclusive' | 'shared';
  readonly depth?: '0' | 'infinity';
  /** Content of lockinfo after scope and type. */
  readonly owner?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function lockBody(scope = 'exclusive', owner = ''): string {
  return (
    `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:${scope}/></D:lockscope>` +
    `<D:locktype><D:write/></D:locktype>${owner}</D:lockinfo>`
  );
}

export function lock(t: TestShare, target: string, options: LockOptions = {}): Promise<Answer> {
  const { scope, depth = '0', owner, headers } = options;
  return t.request('LOCK', target, {
    headers: { Depth: depth, ...headers },
    body: lockBody(scope, owner),
  });
}

/** Gives the token. */
export async function mustLock(
  t: TestShare,
  target: string,
  options: LockOptions = {},
): Promise<string> {
  const answer = await lock(t, target, options);
  assert.ok(answer.status === 200 || answer.status === 201, `${answer.status} ${answer.text}`);
  const token = /^<(urn:uuid:[0-9a-f-]{36})>$/.exec(String(answer.headers['lock-token']))?.[1];
  assert.ok(token !== undefined, String(answer.headers['lock-token']));
  return token;
}

export function unlock(t: TestShare, target: string, token: string): Promise<Answer> {
  return t.request('UNLOCK', target, { headers: { 'Lock-Token': `<${token}>` } });
}

export function refresh(
  t: TestShare,
  target: string,
  header: string,
  timeout?: string,
): Promise<Answer> {
  const time = timeout === undefined ? {} : { Timeout: timeout };
  return t.request('LOCK', target, { headers: { If: header, ...time } });
}

export interface ToldLock {
  readonly token: string;
  readonly scope: string;
  readonly depth: string;
  readonly timeout: string;
  readonly root: string;
  readonly owner: string | undefined;
}

/** The activelocks of an answer, wherever they are in it. */
export function toldLocks(answer: Answer): ToldLock[] {
  return find(parseXml(answer.body), 'activelock').map((active) => {
    const text = (name: string): string => textOf(find(active, name)[0]!);
    const href = (name: string): string => textOf(find(find(active, name)[0]!, 'href')[0]!);
    const [scope] = elements(find(active, 'lockscope')[0]!);
    const [type] = elements(find(active, 'locktype')[0]!);
    assert.equal(type!.name, 'write');
    return {
      token: href('locktoken'),
      scope: scope!.name,
      depth: text('depth'),
      timeout: text('timeout'),
      root: href('lockroot'),
      owner: find(active, 'owner').length > 0 ? text('owner') : undefined,
    };
  });
}

/** Of a multistatus: the tokens of each resource. */
export function toldLocksByHref(answer: Answer): Map<string, string[]> {
  return new Map(
    find(parseXml(answer.body), 'response').map((response) => [
      textOf(find(response, 'href')[0]!),
      find(response, 'locktoken').map((token) => textOf(find(token, 'href')[0]!)),
    ]),
  );
}

/** Of a multistatus: status and condition by href. Of another answer with a condition: its hrefs. */
export function conditionsOf(answer: Answer): Record<string, string> {
  const root = parseXml(answer.body);
  const condition = (parent: XmlElement): string =>
    find(parent, 'error')
      .flatMap(elements)
      .map(({ name }) => name)
      .join();
  if (root.name === 'error') {
    const [told] = elements(root);
    return Object.fromEntries(find(told!, 'href').map((href) => [textOf(href), told!.name]));
  }
  return Object.fromEntries(
    find(root, 'response').map((response) => {
      const status = / (\d{3}) /.exec(textOf(find(response, 'status')[0]!))![1]!;
      const name = condition(response);
      return [textOf(find(response, 'href')[0]!), name === '' ? status : `${status} ${name}`];
    }),
  );
}

function elements(parent: XmlElement): XmlElement[] {
  return parent.children.filter((node) => typeof node === 'object');
}

function find(parent: XmlElement, name: string): XmlElement[] {
  return elements(parent).flatMap((child) =>
    child.name === name ? [child, ...find(child, name)] : find(child, name),
  );
}
