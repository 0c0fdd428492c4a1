/** The listing in a real browser: Chromium without a window. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { before, test } from 'node:test';
import { createShare, listenHttp } from '../../src/share/share.js';
import { onCleanup } from '../support/cleanup.js';
import { run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { domWithoutScripts } from './debugged-browser.js';
import { missing } from './servers.js';

const BROWSERS = ['chromium-headless-shell', 'chromium'];
const browser = BROWSERS.map((name) => `/usr/bin/${name}`).find((file) => fs.existsSync(file));
const skip = missing('chromium-headless-shell', browser !== undefined);

/** Requests that came to the share, and those that were meant for any other host. */
const [asked, strayed]: [string[], string[]] = [[], []];
let [url, elsewhere] = ['', 0];

before(async () => {
  if (skip !== false) return;
  const root = makeTempDir('davport-page-');
  for (const [name, size, sec] of [
    ['middle', 2000, 3000],
    ['large & old', 30_000, 1000],
    ['small', 10, 2000],
    ['<img src="http:elsewhere.example" onerror="document.title=1">', 0, 500],
  ] as const) {
    fs.writeFileSync(path.join(root, name), 'x'.repeat(size));
    fs.utimesSync(path.join(root, name), sec, sec);
  }
  fs.mkdirSync(path.join(root, 'folder'));
  const share = await createShare({ root, onRequest: ({ target }) => asked.push(target) });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  url = listener.address;
  const counter = http.createServer((req, res) => {
    strayed.push(`${req.headers.host ?? ''}${req.url ?? ''}`);
    res.end();
  });
  await new Promise<void>((resolve) => counter.listen(0, '127.0.0.1', resolve));
  elsewhere = (counter.address() as AddressInfo).port;
  onCleanup({
    async run() {
      counter.close();
      await listener.close();
      await share.close();
    },
    runSync: () => undefined,
  });
});

function options(): string[] {
  return [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--no-first-run',
    `--user-data-dir=${makeTempDir('davport-browser-')}`,
    // Every other host is the counter.
    `--host-resolver-rules=MAP *.example 127.0.0.1:${elsewhere}`,
  ];
}

/** The document after the browser has done all it does with it. */
type Show = (address: string) => Promise<string>;

const dom: Show = async (address) => {
  const { stdout } = await run(browser!, [...options(), '--dump-dom', address], {
    timeoutMs: 60_000,
  });
  return stdout;
};

const domUnscripted: Show = (address) => domWithoutScripts(browser!, options(), address);

function shownNames(document: string): string[] {
  const rows = document.slice(document.indexOf('<tbody>')).matchAll(/<bdi>(.*?)<\/bdi>/g);
  return [...rows].map((match) => match[1]!);
}

/** The target of the link in the heading of a column. */
function sortLink(document: string, column: string): string {
  const link = new RegExp(`<th [^>]*class="${column}"[^>]*><a href="([^"]*)"`).exec(document)![1]!;
  return new URL(link.replaceAll('&amp;', '&'), url).href;
}

const EVIL = '&lt;img src="http:elsewhere.example" onerror="document.title=1"&gt;';

test(
  'a listing is shown, and sorted by following the links of its headings',
  { skip },
  async () => {
    const first = await dom(url);
    assert.deepEqual(shownNames(first), ['folder', EVIL, 'large &amp; old', 'middle', 'small']);
    const largest = await dom(sortLink(first, 'size'));
    assert.deepEqual(shownNames(largest), ['folder', 'large &amp; old', 'middle', 'small', EVIL]);
    const smallest = await dom(sortLink(largest, 'size'));
    assert.deepEqual(shownNames(smallest), ['folder', EVIL, 'small', 'middle', 'large &amp; old']);
    const latest = await dom(sortLink(smallest, 'date'));
    assert.deepEqual(shownNames(latest), ['folder', 'middle', 'small', 'large &amp; old', EVIL]);
    // Not even an icon is asked for, and what a name says is not done.
    assert.deepEqual(asked, [
      '/',
      '/?sort=size&order=desc',
      '/?sort=size&order=asc',
      '/?sort=date&order=desc',
    ]);
    assert.deepEqual(strayed, []);
    assert.doesNotMatch(latest, /<title>1</);
  },
);

/** Serves the page of the share with something added, under its own policy or without one. */
async function served(addition: string, withPolicy: boolean, show = dom): Promise<string> {
  const answer = await fetch(url);
  const page = (await answer.text()).replace('</body>', `${addition}</body>`);
  const policy = answer.headers.get('content-security-policy')!;
  const server = http.createServer((_, res) => {
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    if (withPolicy) res.setHeader('Content-Security-Policy', policy);
    res.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await show(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
  }
}

test('a browser that runs no scripts shows and sorts it all the same', { skip }, async () => {
  // The check of the check: what the other one runs is not run.
  const addition = '<script>document.body.id = "ran"</script>';
  assert.match(await served(addition, false), /<body id="ran">/);
  assert.doesNotMatch(await served(addition, false, domUnscripted), /<body id="ran">/);
  const first = await domUnscripted(url);
  assert.deepEqual(shownNames(first), ['folder', EVIL, 'large &amp; old', 'middle', 'small']);
  const largest = await domUnscripted(sortLink(first, 'size'));
  assert.deepEqual(shownNames(largest), ['folder', 'large &amp; old', 'middle', 'small', EVIL]);
  const smallest = await domUnscripted(sortLink(largest, 'size'));
  assert.deepEqual(shownNames(smallest), ['folder', EVIL, 'small', 'middle', 'large &amp; old']);
});

test(
  'the page is one without scripts: its policy lets none run, and nothing be fetched',
  { skip },
  async () => {
    const addition =
      '<script>document.body.id = "ran"</script><img src="http://elsewhere.example/pixel">';
    strayed.length = 0;
    // The check of the check: without the policy both are seen.
    assert.match(await served(addition, false), /<body id="ran">/);
    assert.deepEqual(strayed, ['elsewhere.example/pixel']);
    strayed.length = 0;
    const guarded = await served(addition, true);
    assert.doesNotMatch(guarded, /<body id="ran">/);
    assert.equal(shownNames(guarded).length, 5);
    assert.deepEqual(strayed, []);
  },
);
