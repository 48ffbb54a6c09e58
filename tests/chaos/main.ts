// `npm run chaos -- --seconds 600 --seed 1`.

import { parseArgs } from 'node:util';
import { chaos } from './chaos.ts';

const DEFAULT_SECONDS = 600;

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`${seconds} seconds of chaos, seed ${seed}`);
const { requests, outcomes, violations } = await chaos({ seconds, seed });
for (const [outcome, count] of [...outcomes].sort()) console.log(`${String(count).padStart(8)} ${outcome}`);
for (const violation of violations) console.log(`✖ ${violation}`);
console.log(`${requests} requests, ${violations.length} violations (--seed ${seed})`);
process.exit(violations.length === 0 ? 0 : 1);
