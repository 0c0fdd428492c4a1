/** Runs `start`, or says what is missing where the program has not been built. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export async function launch(start) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  if (!existsSync(`${root}dist/cli/main.js`)) {
    console.error(
      `davport: not built yet; build it with: cd ${root} && npm install && npm run build`,
    );
    process.exitCode = 1;
    return;
  }
  await start();
}
