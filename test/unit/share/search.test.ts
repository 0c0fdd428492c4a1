/** SEARCH as a client sees it: what a query means. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { readMultistatus, startShare } from './fixture.js';
import { fill, find, found, NAME_LIKE, search } from './search-fixture.js';

test('it is announced, and found by its property', async () => {
  const share = await startShare();
  const options = await share.request('OPTIONS', '/');
  assert.equal(options.headers['dasl'], '<DAV:basicsearch>');
  assert.match(String(options.headers.allow), /\bSEARCH\b/);
  const named = '<propfind xmlns="DAV:"><prop><supported-query-grammar-set/></prop></propfind>';
  const answer = await share.request('PROPFIND', '/', { headers: { depth: '0' }, body: named });
  const [root] = readMultistatus(answer);
  assert.equal(
    root?.found['supported-query-grammar-set'],
    '<supported-query-grammar><grammar><basicsearch>',
  );
  const all = await share.request('PROPFIND', '/', { headers: { depth: '0' } });
  assert.ok(!all.text.includes('supported-query-grammar-set'));
});

test('names, sizes, times and types are compared', async () => {
  const share = await startShare();
  fill(share);
  const size = '<prop><getcontentlength/></prop>';
  const modified = '<prop><getlastmodified/></prop>';
  assert.deepEqual(await found(share, NAME_LIKE('plan%')), [
    '/docs/old/plan.txt',
    '/docs/plan%252.txt',
  ]);
  assert.deepEqual(
    await found(share, NAME_LIKE('plan%').replace('<like>', '<like caseless="yes">')),
    ['/docs/Plan_1.txt', '/docs/old/plan.txt', '/docs/plan%252.txt'],
  );
  assert.deepEqual(await found(share, NAME_LIKE('%\\_%')), ['/docs/Plan_1.txt']);
  assert.deepEqual(await found(share, NAME_LIKE('plan\\%_.t_t')), ['/docs/plan%252.txt']);
  assert.deepEqual(await found(share, `<gte>${size}<literal>5000</literal></gte>`), [
    '/docs/old/plan.txt',
  ]);
  assert.deepEqual(await found(share, `<eq>${size}<literal> 11 </literal></eq>`), ['/readme.md']);
  for (const literal of ['Sun, 09 Sep 2001 01:46:40 GMT', '2001-09-09T03:46:40+02:00']) {
    assert.deepEqual(await found(share, `<eq>${modified}<literal>${literal}</literal></eq>`), [
      '/docs/old/plan.txt',
    ]);
  }
  assert.deepEqual(await found(share, '<is-collection/>'), ['/', '/docs/', '/docs/old/']);
  const text = '<eq><prop><getcontenttype/></prop><literal>text/markdown</literal></eq>';
  assert.deepEqual(await found(share, text), ['/readme.md']);
});

test('what a resource has not is neither so nor not so', async () => {
  const share = await startShare();
  fill(share);
  const bigger = '<gt><prop><getcontentlength/></prop><literal>50</literal></gt>';
  // Folders have no length.
  assert.deepEqual(await found(share, `<not>${bigger}</not>`), [
    '/docs/plan%252.txt',
    '/readme.md',
  ]);
  assert.deepEqual(await found(share, `<or>${bigger}<is-collection/></or>`), [
    '/',
    '/docs/',
    '/docs/Plan_1.txt',
    '/docs/old/',
    '/docs/old/plan.txt',
  ]);
  const nonsense = '<eq><prop><getcontentlength/></prop><literal>much</literal></eq>';
  assert.deepEqual(await found(share, nonsense), []);
  assert.deepEqual(await found(share, `<not>${nonsense}</not>`), []);
  const length = '<is-defined><prop><getcontentlength/></prop></is-defined>';
  assert.deepEqual(await found(share, `<not>${length}</not>`), ['/', '/docs/', '/docs/old/']);
  const asText =
    '<lt><prop><getcontentlength/></prop><typed-literal xmlns:i="http://www.w3.org/2001/XMLSchema-instance" ' +
    'i:type="xs:string">12</typed-literal></lt>';
  assert.deepEqual(await found(share, asText), ['/docs/Plan_1.txt', '/readme.md']);
});

test('dead properties are compared as text', async () => {
  const share = await startShare();
  fill(share);
  const set =
    '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="urn:x">red &amp; blue</c></prop></set></propertyupdate>';
  assert.equal((await share.request('PROPPATCH', '/readme.md', { body: set })).status, 207);
  const property = '<prop><c xmlns="urn:x"/></prop>';
  const is = `<eq>${property}<literal>red &amp; blue</literal></eq>`;
  assert.deepEqual(await found(share, is), ['/readme.md']);
  assert.deepEqual(await found(share, `<is-defined>${property}</is-defined>`), ['/readme.md']);
});

test('content is looked through, without regard to case', async () => {
  const share = await startShare();
  fill(share);
  const odd = 'a\u0130b ΟΔΟΣ';
  fs.writeFileSync(share.at('wide.txt'), Buffer.from(`\ufeff${odd}`, 'utf16le'));
  fs.writeFileSync(share.at('far.txt'), `${'.'.repeat(65_530)}${odd}`);
  fs.writeFileSync(share.at('blob'), Buffer.from([0, 0xff, 0x41, 0x62, 0xc3, 0x84]));
  const has = (text: string): Promise<string[]> => found(share, `<contains>${text}</contains>`);
  assert.deepEqual(await has('hello w'), ['/readme.md']);
  assert.deepEqual(await has('äpfel'), ['/docs/plan%252.txt']);
  assert.deepEqual(await has('A\u0130B οδος'), ['/far.txt', '/wide.txt']);
  assert.deepEqual(await has('aBÄ'), ['/blob']);
  assert.deepEqual(await has('abä'), []);
  const both = '<and><contains>hello</contains><contains>world</contains></and>';
  assert.deepEqual(await found(share, both), ['/readme.md']);
  assert.deepEqual(await found(share, `<not><contains>x</contains></not>`), [
    '/blob',
    '/docs/plan%252.txt',
    '/far.txt',
    '/readme.md',
    '/wide.txt',
  ]);
});

test('a scope bounds the search', async () => {
  const share = await startShare();
  fill(share);
  const names = async (href: string, depth: string, target = '/'): Promise<string[]> =>
    (await find(share, { href, depth }, target)).hrefs.sort();
  assert.deepEqual(await names('/docs', '0'), ['/docs/']);
  assert.deepEqual(await names('/docs/', '1'), [
    '/docs/',
    '/docs/Plan_1.txt',
    '/docs/old/',
    '/docs/plan%252.txt',
  ]);
  assert.deepEqual(await names('/readme.md', 'infinity'), ['/readme.md']);
  assert.deepEqual(await names('old/', '1', '/docs/'), ['/docs/old/', '/docs/old/plan.txt']);
  assert.deepEqual(await names('', '0', '/docs/old'), ['/docs/old/']);
  assert.deepEqual(await names('.', '0', '/docs/old'), ['/docs/']);
  assert.deepEqual(await names('http://localhost/docs/old', '0'), ['/docs/old/']);
  for (const href of ['/no', '/readme.md/x', '../etc', 'http://elsewhere.example/', '/%2e%2e/x']) {
    const answer = await search(share, { href });
    assert.equal(answer.status, 409, href);
    assert.match(answer.text, /<D:search-scope-valid\/>/);
  }
});

test('results are ordered, and limited to the best', async () => {
  const share = await startShare();
  fill(share);
  const by = (property: string, how = ''): string =>
    `<orderby><order caseless="yes"><prop><${property}/></prop>${how}</order></orderby>`;
  const files = '<not><is-collection/></not>';
  const order = async (rest: string, where = files): Promise<string[]> =>
    (await find(share, { where, rest })).hrefs;
  const bySize = ['/readme.md', '/docs/plan%252.txt', '/docs/Plan_1.txt', '/docs/old/plan.txt'];
  assert.deepEqual(await order(by('getcontentlength')), bySize);
  assert.deepEqual(await order(by('getcontentlength', '<descending/>')), bySize.toReversed());
  assert.deepEqual(
    (await order(by('getcontentlength'), '<or><is-collection/>' + files + '</or>')).slice(3),
    bySize,
  );
  assert.deepEqual(await order(by('displayname')), [
    '/docs/plan%252.txt',
    '/docs/old/plan.txt',
    '/docs/Plan_1.txt',
    '/readme.md',
  ]);
  const limit = (count: number): string => `<limit><nresults>${count}</nresults></limit>`;
  const best = await find(share, { where: files, rest: by('getcontentlength') + limit(2) });
  assert.deepEqual(best, { hrefs: bySize.slice(0, 2), cut: true });
  const all = await find(share, { where: files, rest: by('getcontentlength') + limit(4) });
  assert.deepEqual(all, { hrefs: bySize, cut: false });
  const some = await find(share, { where: files, rest: limit(3) });
  assert.deepEqual([some.hrefs.length, some.cut], [3, true]);
  assert.equal((await find(share, { rest: limit(7) })).cut, false);
});
