import { launch } from './launch.mjs';

await launch(async () => {
  const { main } = await import('../dist/cli/main.js');
  const { runMountHelper } = await import('../dist/cli/mount-helper.js');
  await main(runMountHelper);
});
