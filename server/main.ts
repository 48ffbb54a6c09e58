// The main thread's entry: sets node up, then hands the command line to server/main/run.ts.
// Imports are dynamic, so that the compile cache already works for them.

import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

const NEEDED = 26;
if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  console.error(
    `pilotfish needs Node ${NEEDED} or newer; this is Node ${process.versions.node}. Try \`npm start\`.`,
  );
  process.exit(1);
}
enableCompileCache();
// bin/pilotfish.cjs gives these on the command line; here they cover a start without it.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
setFlagsFromString('--max-semi-space-size=32');

const { run } = await import('./main/run.ts');
const { serve } = await import('./main/serve.ts');
const { dieLoudly } = await import('./main/last_words.ts');
process.on('uncaughtException', dieLoudly);
// What is still open (an admin connection, a watched file) must not keep a process that has ended in order.
process.exit(await run(process.argv.slice(2), serve));
