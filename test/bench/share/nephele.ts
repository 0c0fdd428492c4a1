/** The WebDAV server nephele of npm, which is too much to be installed with davport: it goes to a folder of its own when it is measured. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startBackground, type Background } from '../../support/background.js';
import { run } from '../../support/run.js';

const VERSION = '1.0.0-alpha.67';
const PACKAGES = [
  `nephele@${VERSION}`,
  '@nephele/adapter-file-system@1.0.0-alpha.61',
  '@nephele/authenticator-none@1.0.0-alpha.61',
];

const PROGRAM = `
import express from 'express';
import nephele from 'nephele';
import Adapter from '@nephele/adapter-file-system';
import Authenticator from '@nephele/authenticator-none';
const [root, port] = process.argv.slice(2);
const app = express();
app.use('/', nephele({ adapter: new Adapter({ root }), authenticator: new Authenticator() }));
app.listen(Number(port), '127.0.0.1');
`;

async function install(): Promise<string> {
  const folder = path.join(tmpdir(), `nephele-${VERSION}-of-uid-${process.getuid?.()}`);
  const program = path.join(folder, 'serve.mjs');
  if (existsSync(program)) return program;
  console.log(`installing ${PACKAGES.join(' ')} in ${folder}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', ...PACKAGES];
  await run('npm', args, { cwd: folder, timeoutMs: 180_000 });
  writeFileSync(program, PROGRAM);
  return program;
}

export async function startNephele(dir: string, port: number): Promise<Background> {
  return startBackground(process.execPath, [await install(), dir, String(port)]);
}
