import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { startShare } from './fixture.js';
import { PATCH_TYPE } from './partial-requests.js';

const LONG = 3_000_000;

for (const [name, length] of [
  ['short', 50_000],
  ['long', LONG],
] as const) {
  for (const request of ['PUT', 'PATCH']) {
    test(`a ${name} ${request} of a part that is cut anywhere changes nothing`, async () => {
      const t = await startShare();
      fs.writeFileSync(t.at('f'), Buffer.alloc(LONG, 1));
      const before = fs.statSync(t.at('f'), { bigint: true });
      const field =
        request === 'PUT'
          ? `Content-Range: bytes 10-${length + 9}/*`
          : `X-Update-Range: bytes=10-\r\nContent-Type: ${PATCH_TYPE}`;
      for (const framing of [`Content-Length: ${length}`, 'Transfer-Encoding: chunked']) {
        for (const part of [0, 1, Math.floor(length / 2), length - 1, length]) {
          if (part === length && framing.startsWith('Content')) continue;
          const socket = await t.connect();
          socket.write(`${request} /f HTTP/1.1\r\nHost: x\r\n${field}\r\n${framing}\r\n\r\n`);
          // Of a chunked body the last chunk is never sent.
          if (framing.startsWith('Transfer')) socket.write(`${length.toString(16)}\r\n`);
          socket.write(Buffer.alloc(part, 2));
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
