// Dies of a bug on the main thread, with the log switched off.

import { setLogSink } from '../../server/common/log.ts';
import { dieLoudly } from '../../server/main/last_words.ts';

setLogSink(() => undefined);
process.on('uncaughtException', dieLoudly);
setImmediate(() => {
  throw new Error('of a bug');
});
setInterval(() => undefined, 1000);
