// Mixed traffic through a real Pilotfish with two workers, under a real control plane, while hosts die, flap, slow down, break off and
// return, endpoints, routes and clusters change, and a worker is killed. Every request is judged by Envoy's rules (rules.ts); in the
// end nothing may be left. `npm run chaos` runs it for ten minutes, chaos.test.ts for half a minute.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../differential/route_cases.ts';
import { eventually, ProxyProcess } from '../integration/proxy_process.ts';
import { AccessLog } from './access_log.ts';
import { activeGauges, grown, holdingsOf } from './leaks.ts';
import { type Asked, Client, type Ports } from './requests.ts';
import { judge, type Logged } from './rules.ts';
import { World } from './world.ts';

const CLIENTS = 24;
const THINK_MS = 15;
/** Of the time, before what the process holds is measured for the first time. */
const WARM_UP = 0.25;
/** ms until an access log entry must be there. */
const LOGGED_MS = 5000;
const LOOK_MS = 100;
/** ms that the event loop of the test may be late before requests of that time may be, too. */
const STALL_MS = 100;
const MOST_VIOLATIONS = 20;

interface NodeSettings {
  environment(): NodeJS.ProcessEnv;
  nodeArguments(script: string): string[];
}
const settings = createRequire(import.meta.url)('../../bin/node_settings.cjs') as NodeSettings;

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
}

export interface ChaosReport {
  readonly requests: number;
  /** By kind of request and how it ended, e.g. `plain UC`. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** For people. Empty: everything was as it must be. */
  readonly violations: readonly string[];
}

/** Requests that wait for their access log entries, and the verdicts on those that had them. */
class Judgement {
  readonly violations: string[] = [];
  readonly outcomes = new Map<string, number>();
  requests = 0;
  readonly #world: World;
  readonly #log: AccessLog;
  readonly #waiting = new Set<Asked>();

  constructor(world: World, log: AccessLog) {
    this.#world = world;
    this.#log = log;
  }

  add(asked: Asked): void {
    this.requests++;
    this.#waiting.add(asked);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  look(): void {
    this.#log.read();
    const now = performance.now();
    for (const asked of this.#waiting) {
      const logged = this.#log.take(asked.id);
      if (logged === undefined && now < asked.to + LOGGED_MS) continue;
      this.#waiting.delete(asked);
      const outcome = `${asked.kind} ${logged === undefined ? 'not logged' : (logged.flags ?? logged.code)}`;
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      const wrong = judge(asked, logged, this.#world);
      if (wrong !== undefined) this.violations.push(this.#describe(wrong, asked, logged));
    }
  }

  #describe(wrong: string, asked: Asked, logged: Logged | undefined): string {
    const circumstances = this.#world.describe(asked.from, asked.to).map((line) => `    ${line}`);
    return [wrong, `  ${JSON.stringify(asked)}`, `  ${JSON.stringify(logged)}`, ...circumstances].join('\n');
  }
}

export async function chaos({ seconds, seed }: ChaosOptions): Promise<ChaosReport> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'chaos-'));
  const file = path.join(directory, 'access.log');
  const log = new AccessLog(file);
  const world = await World.start(new Random(seed), file);
  const command = [
    process.execPath,
    '--expose-gc',
    ...settings.nodeArguments(path.join(import.meta.dirname, 'proxy_main.ts')),
  ];
  const flags = ['--config-yaml', JSON.stringify(world.plane.bootstrap()), '--concurrency', '2'];
  const proxy = await ProxyProcess.startAs(command, ...flags, '--file-flush-interval-msec', '50');
  const judgement = new Judgement(world, log);
  const watch = watchStalls(world);
  const look = setInterval(() => judgement.look(), LOOK_MS);
  try {
    const ports = {
      http: await proxy.port('http'),
      https: await proxy.port('https'),
      tcp: await proxy.port('tcp'),
    };
    const phase = async (name: string, ms: number): Promise<void> => {
      await traffic(world, proxy, judgement, ports, new Random(seed), name, ms);
      await eventually(async () => judgement.waiting === 0, 'all requests are judged', LOGGED_MS * 2);
      const active = await activeGauges(proxy);
      if (active.length > 0) judgement.violations.push(`after the traffic:\n  ${active.join('\n  ')}`);
    };
    await phase('a', seconds * 1000 * WARM_UP);
    const before = await holdingsOf(proxy);
    await phase('b', seconds * 1000 * (1 - WARM_UP));
    const leaks = grown(before, await holdingsOf(proxy));
    if (leaks.length > 0) judgement.violations.push(`it holds more than before:\n  ${leaks.join('\n  ')}`);
    const failed = proxy.stderr.split('\n').filter((line) => line.includes('failed:'));
    if (failed.length > 0) judgement.violations.push(failed.join('\n'));
  } finally {
    clearInterval(look);
    clearInterval(watch);
    await proxy.stop();
    await world.stop();
    log.close();
    rmSync(directory, { recursive: true });
  }
  return judgement;
}

async function traffic(
  world: World,
  proxy: ProxyProcess,
  judgement: Judgement,
  ports: Ports,
  random: Random,
  phase: string,
  ms: number,
): Promise<void> {
  let over = false;
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const client = new Client(`${phase}${i}`, new Random(Math.floor(random.next() * 2 ** 31)), ports);
    while (!over && judgement.violations.length < MOST_VIOLATIONS) {
      judgement.add(await client.ask());
      await sleep(THINK_MS);
    }
    client.close();
  });
  await world.run(proxy, ms);
  over = true;
  await Promise.all(clients);
}

/** Notes when the event loop of the test stands still. */
function watchStalls(world: World): NodeJS.Timeout {
  const every = 20;
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    if (now - last > STALL_MS) world.stoodStill(now - last);
    last = now;
  }, every);
}
