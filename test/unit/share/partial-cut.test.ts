import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { startShare } from './fixture.js';
import { EXTENTS_TYPE, extentsBody, PATCH_TYPE } from './partial-requests.js';

const LONG = 3_000_000;

for (const [name, length] of [
  ['short', 50_000],
  ['long', LONG],
] as const) {
  for (const how of ['PUT', 'PATCH', 'PATCH with a table']) {
    const request = how.split(' ')[0]!;
    test(`a ${name} ${how} of a part that is cut anywhere changes nothing`, async () => {
      const t = await startShare();
      fs.writeFileSync(t.at('f'), Buffer.alloc(LONG, 1));
      const before = fs.statSync(t.at('f'), { bigint: true });
      const fields: Record<string, string> = {
        PUT: `Content-Range: bytes 10-${length + 9}/*`,
        PATCH: `X-Update-Range: bytes=10-\r\nContent-Type: ${PATCH_TYPE}`,
        'PATCH with a table': `Davport-Extents: 2\r\nContent-Type: ${EXTENTS_TYPE}`,
      };
      const field = fields[how]!;
      const body = how.endsWith('table')
        ? extentsBody([
            [0, 'a'],
            [20, Buffer.alloc(length - 33, 2)],
          ])
        : Buffer.alloc(length, 2);
      for (const framing of [`Content-Length: ${length}`, 'Transfer-Encoding: chunked']) {
        for (const part of [0, 1, Math.floor(length / 2), length - 1, length]) {
          if (part === length && framing.startsWith('Content')) continue;
          const socket = await t.connect();
          socket.write(`${request} /f HTTP/1.1\r\nHost: x\r\n${field}\r\n${framing}\r\n\r\n`);
          // Of a chunked body the last chunk is never sent.
          if (framing.startsWith('Transfer')) socket.write(`${length.toString(16)}\r\n`);
          socket.write(body.subarray(0, part));
          await waitUntil('the request to begin', () => t.share.stats.active === 1);
          socket.destroy();
          await waitUntil('the request to end', () => t.share.stats.active === 0);
          const { ctimeNs, size } = fs.statSync(t.at('f'), { bigint: true });
          assert.deepEqual([size, ctimeNs], [before.size, before.ctimeNs], `${framing} ${part}`);
          assert.deepEqual(fs.readdirSync(t.dir), ['f']);
        }
      }
    });
  }
}
