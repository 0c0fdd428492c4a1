import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { SeededRandom } from '../../support/seeded-random.js';
import { readToEnd, startShare, type Answer, type TestShare } from './fixture.js';

interface Part {
  readonly type: string;
  readonly range: string;
  readonly body: Buffer;
}

/** Reads multipart/byteranges as RFC 2046 section 5.1.1 has it. */
function readParts(answer: Answer): Part[] {
  const type = String(answer.headers['content-type']);
  const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(type)?.[1];
  assert.ok(boundary, type);
  const text = answer.body.toString('latin1');
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  assert.deepEqual([pieces[0], pieces.at(-1)], ['', '--\r\n']);
  return pieces.slice(1, -1).map((piece) => {
    const match = /^\r\nContent-Type: (.*)\r\nContent-Range: (.*)\r\n\r\n([^]*)$/.exec(piece)!;
    return { type: match[1]!, range: match[2]!, body: Buffer.from(match[3]!, 'latin1') };
  });
}

const get = (t: TestShare, target: string, headers: Record<string, string>): Promise<Answer> =>
  t.request('GET', target, { headers });

test('several ranges are parts of one body, in the order of the request', async () => {
  const t = await startShare();
  const content = new SeededRandom(1).bytes(1_000_000);
  fs.writeFileSync(t.at('f.mp4'), content);
  for (const [range, expected] of [
    [
      'bytes=900000-,0-9',
      [
        [900_000, 1_000_000],
        [0, 10],
      ],
    ],
    [
      'bytes=0-299999,400000-699999, -1',
      [
        [0, 300_000],
        [400_000, 700_000],
        [999_999, 1_000_000],
      ],
    ],
    [
      'bytes=5-5,2000000-,1000-1000',
      [
        [5, 6],
        [1000, 1001],
      ],
    ],
  ] as const) {
    const answer = await get(t, '/f.mp4', { Range: range });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.headers['content-range'], undefined);
    assert.equal(answer.headers['content-length'], String(answer.body.length));
    const parts = readParts(answer);
    assert.deepEqual(
      parts.map((part) => [part.type, part.range]),
      expected.map(([start, end]) => ['video/mp4', `bytes ${start}-${end - 1}/1000000`]),
    );
    for (const [at, [start, end]] of expected.entries()) {
      assert.ok(parts[at]!.body.equals(content.subarray(start, end)), `${range}, part ${at}`);
    }
  }
  // What comes down to one range is told as one.
  const joined = await get(t, '/f.mp4', { Range: 'bytes=0-9,5-19' });
  assert.equal(joined.headers['content-range'], 'bytes 0-19/1000000');
  assert.ok(joined.body.equals(content.subarray(0, 20)));
  const none = await get(t, '/f.mp4', { Range: 'bytes=1000000-,-0' });
  assert.deepEqual([none.status, none.headers['content-range']], [416, 'bytes */1000000']);
  // More work than a file is worth is not done.
  const greedy = await get(t, '/f.mp4', { Range: `bytes=${'0-,'.repeat(1000)}` });
  assert.equal(greedy.headers['content-range'], 'bytes 0-999999/1000000');
});

test('several ranges of a version: never a mix', async () => {
  const t = await startShare();
  const size = 16_000_000;
  fs.writeFileSync(t.at('f'), Buffer.alloc(size, 1));
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  const socket = await t.connect();
  socket.write(
    `GET /f HTTP/1.1\r\nHost: x\r\nIf-Match: ${etag}\r\nRange: bytes=0-0,1000-${size - 1}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once('readable', resolve));
  const fd = fs.openSync(t.at('f'), 'r+');
  fs.writeSync(fd, 'changed', size - 100);
  fs.closeSync(fd);
  const text = await readToEnd(socket);
  assert.match(text, /^HTTP\/1.1 206 /);
  assert.ok(!text.includes('changed') && text.length < size);
});
