import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkAsyncProperty } from '../../support/property.js';
import { startShare, type Answer, type TestShare } from './fixture.js';
import { patch, patchExtents, putPart, type Part } from './partial-requests.js';

type Step =
  | { readonly kind: 'put' | 'patch'; readonly start: number; readonly length: number }
  | { readonly kind: 'append' | 'tail'; readonly length: number }
  | {
      readonly kind: 'extents';
      /** Gaps before the extents, and how long these are. */
      readonly extents: readonly (readonly [gap: number, length: number])[];
      readonly size: number | undefined;
    }
  | { readonly kind: 'size'; readonly size: number }
  | { readonly kind: 'read'; readonly first: number; readonly last: number };

/** Around what is kept in memory (128 KiB) and what goes by a file. */
const lengths = fc.oneof(fc.nat(50), fc.constantFrom(131_072, 131_073, 300_001));
const offsets = fc.oneof(fc.nat(100), fc.nat(400_000));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('put' as const, 'patch' as const),
    start: offsets,
    length: lengths,
  }),
  fc.record({ kind: fc.constantFrom('append' as const, 'tail' as const), length: lengths }),
  fc.record({
    kind: fc.constant('extents' as const),
    extents: fc.array(fc.tuple(fc.oneof(fc.nat(3), offsets), lengths), { maxLength: 5 }),
    size: fc.option(offsets, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('size' as const), size: offsets }),
  fc.record({ kind: fc.constant('read' as const), first: offsets, last: offsets }),
);

function splice(model: Buffer, start: number, bytes: Buffer): Buffer {
  if (bytes.length === 0) return model;
  const next = Buffer.alloc(Math.max(model.length, start + bytes.length));
  model.copy(next);
  bytes.copy(next, start);
  return next;
}

function sized(model: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  model.copy(next);
  return next;
}

async function play(t: TestShare, model: Buffer, given: Step, fill: number): Promise<Buffer> {
  const bytes = Buffer.alloc('length' in given ? given.length : 0, fill);
  const expectStatus = async (answer: Promise<Answer>, status: number): Promise<void> => {
    assert.equal((await answer).status, status, JSON.stringify(given));
  };
  switch (given.kind) {
    case 'put': {
      const { start, length } = given;
      const sent = putPart(t, `bytes ${start}-${start + length - 1}/*`, bytes);
      await expectStatus(sent, length === 0 ? 400 : 204);
      return splice(model, start, bytes);
    }
    case 'patch':
      await expectStatus(patch(t, `bytes=${given.start}-`, bytes), 204);
      return splice(model, given.start, bytes);
    case 'append':
      await expectStatus(patch(t, 'append', bytes), 204);
      return splice(model, model.length, bytes);
    case 'tail': {
      const inside = given.length <= model.length;
      await expectStatus(patch(t, `bytes=-${given.length}`, bytes), inside ? 204 : 416);
      return inside ? splice(model, model.length - given.length, bytes) : model;
    }
    case 'extents': {
      const parts: Part[] = [];
      let at = 0;
      let next = model;
      for (const [gap, length] of given.extents) {
        at += gap;
        const part = Buffer.alloc(length, fill);
        parts.push([at, part]);
        next = splice(next, at, part);
        at += length;
      }
      const empty = given.extents.some(([, length]) => length === 0);
      const headers = given.size === undefined ? {} : { 'Davport-Posix': `size=${given.size}` };
      await expectStatus(patchExtents(t, parts, headers), empty ? 400 : 204);
      return empty ? model : given.size === undefined ? next : sized(next, given.size);
    }
    case 'size': {
      const headers = { 'Davport-Posix': `size=${given.size}` };
      await expectStatus(t.request('PATCH', '/f', { headers }), 204);
      return sized(model, given.size);
    }
    case 'read': {
      const { first, last } = given;
      const headers = { Range: `bytes=${first}-${last}` };
      const answer = await t.request('GET', '/f', { headers });
      const status = last < first ? 200 : first >= model.length ? 416 : 206;
      assert.equal(answer.status, status, JSON.stringify(given));
      if (status === 206) assert.ok(answer.body.equals(model.subarray(first, last + 1)));
      return model;
    }
  }
}

test('any sequence of changes in place does what it does to a buffer', async (t) => {
  const share = await startShare();
  const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
    fs.writeFileSync(share.at('f'), '');
    let model: Buffer = Buffer.alloc(0);
    for (const [at, given] of steps.entries()) model = await play(share, model, given, 1 + at);
    const whole = await share.request('GET', '/f');
    assert.ok(whole.body.equals(model), 'other content than the buffer');
    assert.deepEqual(fs.readdirSync(share.dir), ['f']);
  });
  await checkAsyncProperty(t, property, 3000);
});
