// The main thread's entry: sets node up, then hands the command line to server/main/run.ts.
// Imports are dynamic, so that the compile cache already works for them.

import { createRequire } from 'node:module';

interface NodeSettings {
  environment(): NodeJS.ProcessEnv;
  isSetUp(): boolean;
  nodeArguments(script: string): string[];
}

const NEEDED = 26;
if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  console.error(
    `pilotfish needs Node ${NEEDED} or newer; this is Node ${process.versions.node}. Try \`npm start\`.`,
  );
  process.exit(1);
}
const settings = createRequire(import.meta.url)('../bin/node_settings.cjs') as NodeSettings;
if (!settings.isSetUp() && process.execve !== undefined) {
  // The same process starts once more, with node's settings: some are only read at the very beginning.
  const args = settings.nodeArguments(import.meta.filename);
  process.execve(
    process.execPath,
    [process.execPath, ...args, ...process.argv.slice(2)],
    settings.environment() as Record<string, string>,
  );
}

const { run } = await import('./main/run.ts');
const { serve } = await import('./main/serve.ts');
const { dieLoudly } = await import('./main/last_words.ts');
process.on('uncaughtException', dieLoudly);
// What is still open (an admin connection, a watched file) must not keep a process that has ended in order.
process.exit(await run(process.argv.slice(2), serve));
