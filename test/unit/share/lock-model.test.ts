/** Random requests with random tokens, against a model that says in a few lines what RFC 4918 sections 6 and 7 ask for. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { SeededRandom } from '../../support/seeded-random.js';
import { startShare, type Answer, type TestShare } from './fixture.js';
import { lockBody, toldLocksByHref } from './lock-client.js';

const STEPS = 500;
const PATHS = ['/a', '/b', '/a/a', '/a/b', '/b/a', '/b/b'];

interface ModelLock {
  readonly root: string;
  readonly deep: boolean;
  readonly exclusive: boolean;
  readonly token: string;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
const isBelow = (outer: string, inner: string): boolean =>
  inner !== outer && inner.startsWith(outer === '/' ? '/' : `${outer}/`);

class Model {
  readonly files = new Map<string, 'file' | 'dir'>([['/', 'dir']]);
  locks: ModelLock[] = [];

  covering(path: string): ModelLock[] {
    return this.locks.filter(({ root, deep }) => root === path || (deep && isBelow(root, path)));
  }

  /** Is the resource locked for who submits these tokens? */
  isKept(path: string, tokens: readonly string[]): boolean {
    const locks = this.covering(path);
    return locks.length > 0 && !locks.some(({ token }) => tokens.includes(token));
  }

  /** As it is, or as a new member of its collection. */
  keepsState(path: string, tokens: readonly string[]): boolean {
    const added = !this.files.has(path) && this.isKept(parentOf(path), tokens);
    return added || this.isKept(path, tokens);
  }

  /** To take its name away, with all names below. */
  keepsName(path: string, tokens: readonly string[]): boolean {
    const below = this.locks.filter(({ root }) => isBelow(path, root));
    return [path, parentOf(path), ...below.map(({ root }) => root)].some((affected) =>
      this.isKept(affected, tokens),
    );
  }

  get folders(): string[] {
    return [...this.files.keys()].filter((path) => this.files.get(path) === 'dir');
  }

  depthBelow(path: string): number {
    const below = [...this.files.keys()].filter((name) => isBelow(path, name));
    return Math.max(0, ...below.map((name) => name.slice(path.length).split('/').length - 1));
  }

  fits(path: string): boolean {
    return this.files.get(parentOf(path)) === 'dir';
  }

  remove(path: string): void {
    for (const name of [...this.files.keys()]) {
      if (name === path || isBelow(path, name)) this.files.delete(name);
    }
  }

  copy(from: string, to: string): void {
    const all = [...this.files].filter(([name]) => name === from || isBelow(from, name));
    this.remove(to);
    for (const [name, kind] of all) this.files.set(to + name.slice(from.length), kind);
  }

  /** Ends the locks whose URL leads nowhere. */
  dropUnmapped(): void {
    this.locks = this.locks.filter(({ root }) => this.files.has(root));
  }
}

interface Step {
  readonly method: string;
  readonly path: string;
  readonly to: string;
  readonly deep: boolean;
  readonly exclusive: boolean;
  readonly tokens: readonly string[];
}

/** What becomes of it: undefined when the resources themselves don't allow it, false when locks don't. */
function apply(model: Model, step: Step): boolean | undefined {
  const { method, path, to, tokens } = step;
  const kind = model.files.get(path);
  const apart = path !== to && !isBelow(path, to) && !isBelow(to, path);
  switch (method) {
    case 'PUT':
    case 'MKCOL':
      if (!model.fits(path) || kind === 'dir' || (kind && method === 'MKCOL')) return undefined;
      if (model.keepsState(path, tokens)) return false;
      model.files.set(path, method === 'PUT' ? 'file' : 'dir');
      return true;
    case 'PROPPATCH':
      return kind && !model.isKept(path, tokens);
    case 'DELETE':
      if (!kind) return undefined;
      if (model.keepsName(path, tokens)) return false;
      model.remove(path);
      model.dropUnmapped();
      return true;
    case 'MOVE':
      if (!kind || !model.fits(to) || !apart) return undefined;
      if (model.keepsName(path, tokens) || model.keepsName(to, tokens)) return false;
      model.locks = model.locks.filter(({ root }) => root !== to && !isBelow(to, root));
      model.copy(path, to);
      model.remove(path);
      model.dropUnmapped();
      return true;
    case 'COPY': {
      if (!kind || !model.fits(to) || !apart) return undefined;
      const inPlace = kind === 'file' && model.files.get(to) !== 'dir';
      if (inPlace ? model.keepsState(to, tokens) : model.keepsName(to, tokens)) return false;
      model.copy(path, to);
      model.dropUnmapped();
      return true;
    }
    default:
      return applyLock(model, step);
  }
}

function applyLock(model: Model, { method, path, deep, exclusive, tokens }: Step) {
  if (method === 'UNLOCK') {
    const lock = model.covering(path).find(({ token }) => token === tokens[0]);
    model.locks = model.locks.filter((other) => other !== lock);
    return lock !== undefined;
  }
  if (!model.files.has(path) && !model.fits(path)) return undefined;
  const others = model.locks.filter(({ root }) => deep && isBelow(path, root));
  const clash = [...model.covering(path), ...others].some((lock) => lock.exclusive || exclusive);
  if (clash || (!model.files.has(path) && model.keepsState(path, tokens))) return false;
  if (!model.files.has(path)) model.files.set(path, 'file');
  return true;
}

const PROPERTY =
  '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="urn:x"/></prop></set></propertyupdate>';

function send(t: TestShare, { method, path, to, deep, exclusive, tokens }: Step): Promise<Answer> {
  // The tokens are submitted, and the header holds in any case.
  const list = tokens.map((token) => `<${token}>`).join(' ');
  const headers = {
    ...(tokens.length > 0 && { If: `(${list}) (Not <DAV:no-lock>)` }),
    ...((method === 'MOVE' || method === 'COPY') && { Destination: to }),
    ...(method === 'LOCK' && { Depth: deep ? 'infinity' : '0' }),
    ...(method === 'UNLOCK' && { 'Lock-Token': `<${tokens[0] ?? 'urn:x'}>` }),
  };
  const bodies: Record<string, string> = {
    PUT: 'x',
    PROPPATCH: PROPERTY,
    LOCK: lockBody(exclusive ? 'exclusive' : 'shared'),
  };
  const body = bodies[method];
  return t.request(method, path, body === undefined ? { headers } : { headers, body });
}

/** Tokens of the locks of each resource that is there. */
async function stateOf(t: TestShare, folders: readonly string[]): Promise<Map<string, string>> {
  const body = '<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>';
  const state = new Map<string, string>();
  for (const folder of folders) {
    const answer = await t.request('PROPFIND', folder, { headers: { Depth: '1' }, body });
    for (const [href, tokens] of toldLocksByHref(answer)) {
      state.set(href.replace(/(.)\/$/, '$1'), [...tokens].sort().join());
    }
  }
  return state;
}

function modelState(model: Model): Map<string, string> {
  const tokens = (path: string): string =>
    model
      .covering(path)
      .map(({ token }) => token)
      .sort()
      .join();
  return new Map([...model.files.keys()].map((path) => [path, tokens(path)]));
}

/** `given`: all tokens there ever were. */
function randomStep(random: SeededRandom, model: Model, given: readonly string[]): Step {
  const pick = <T>(from: readonly T[]): T => from[random.between(0, from.length)]!;
  const methods = ['PUT', 'PUT', 'MKCOL', 'MKCOL', 'PROPPATCH', 'DELETE', 'MOVE', 'COPY'];
  const method = pick([...methods, 'LOCK', 'LOCK', 'LOCK', 'UNLOCK', 'UNLOCK']);
  // Those that are good, and some that may have been.
  const known = [...model.locks.map(({ token }) => token), ...given.slice(-2)];
  return {
    method,
    path: pick(method === 'LOCK' ? ['/', ...PATHS, ...PATHS] : PATHS),
    to: pick(PATHS),
    deep: random.next() < 0.4,
    exclusive: random.next() < 0.4,
    tokens: [...new Set(known)].filter(() => random.next() < 0.5),
  };
}

test('random requests and locks: the same tree, the same locks as the model', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const share = await startShare();
  const model = new Model();
  const given: string[] = [];
  const seen = { true: 0, false: 0, undefined: 0 };
  for (let count = 0; count < STEPS; count++) {
    const step = randomStep(random, model, given);
    const told = `seed ${random.seed}, step ${count}: ${JSON.stringify(step)}`;
    if (step.method === 'COPY' && model.depthBelow(step.path) > 1) continue;
    const expected = apply(model, step);
    seen[String(expected) as keyof typeof seen]++;
    const answer = await send(share, step);
    const { status } = answer;
    if (expected === true) {
      assert.ok(status < 300, `${told}: ${status} ${answer.text}`);
    } else if (expected === undefined) {
      assert.ok(status >= 400 && status < 500, `${told}: ${status}`);
    } else {
      assert.ok([423, 207, 409].includes(status), `${told}: ${status}`);
    }
    if (expected === true && step.method === 'LOCK') {
      const token = /<(.*)>/.exec(String(answer.headers['lock-token']))![1]!;
      given.push(token);
      model.locks.push({ ...step, root: step.path, token });
    }
    assert.deepEqual(
      [...(await stateOf(share, model.folders))].sort(),
      [...modelState(model)].sort(),
      told,
    );
  }
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.true > STEPS / 20 && seen.false > STEPS / 20, JSON.stringify(seen));
  assert.equal(fs.readdirSync(share.dir).filter((name) => name.startsWith('.')).length, 0);
});
