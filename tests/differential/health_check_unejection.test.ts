// Hosts that outlier detection has put out, and that pass their health checks: taken back as by Envoy, with the same flags,
// stats and events, or left out where `successful_active_health_check_uneject_host` is false.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../fakes/until.ts';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const HOSTS = 3;
const WELL = 200;
/** Counted by checks, but far from enough. */
const TIRED = 503;
/** Believed at once. */
const ILL = 500;

type Json = Readonly<Record<string, unknown>>;

interface Case {
  readonly name: string;
  readonly detection?: Json;
  /** What checks are answered once the host is ejected, one after the other. */
  readonly answers: readonly number[];
}

/** A proxy and hosts of its own. */
interface Side {
  readonly proxy: BalancedProxy;
  readonly log: string;
  readonly upstreams: BalancedUpstreams;
}

const CASES: readonly Case[] = [
  { name: 'well_again', answers: [WELL] },
  { name: 'still_tired', answers: [TIRED, WELL] },
  { name: 'ill_in_between', answers: [ILL, WELL] },
  {
    name: 'not_by_checks',
    detection: { successful_active_health_check_uneject_host: false },
    answers: [WELL, ILL, WELL],
  },
  {
    name: 'by_checks',
    detection: { successful_active_health_check_uneject_host: true },
    answers: [WELL],
  },
];

describe('health checks take ejected hosts back as with Envoy', { skip: SKIP }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'unejection-'));
  const sides: Side[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const upstreams = await BalancedUpstreams.start(HOSTS);
      const log = path.join(directory, `${sides.length}.log`);
      for (const { name } of CASES) upstreams.checks.set(`/${name}`, WELL);
      const clusters = Object.fromEntries(CASES.map((one) => [one.name, clusterOf(one, upstreams)]));
      const bootstrap = { cluster_manager: { outlier_detection: { event_log_path: log } } };
      sides.push({ proxy: await startBalancer({ clusters, bootstrap }, command), log, upstreams });
    }
  });
  after(async () => {
    for (const { proxy, upstreams } of sides) {
      await proxy.stop();
      await upstreams.close();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  for (const one of CASES) {
    test(one.name.replaceAll('_', ' '), async () => {
      const seen = await Promise.all(sides.map((side) => run(side, one)));
      assert.equal(seen[1], seen[0]);
      assert.match(seen[0], /"action":"EJECT"/);
    });
  }

  async function run(side: Side, one: Case): Promise<string> {
    const { proxy, log, upstreams } = side;
    const answer = async (status: number): Promise<void> => {
      upstreams.checks.set(`/${one.name}`, status);
      // All hosts have given this answer, and the one before is over.
      const enough = (await attempts(proxy, one.name)) + 4 * HOSTS;
      await until(async () => (await attempts(proxy, one.name)) > enough);
    };
    // Tired: it stays, and checks do not take it back before they are to.
    await answer(TIRED);
    const active = async (): Promise<number> =>
      (await proxy.stats(one.name, /ejections_active/))['outlier_detection.ejections_active'];
    await until(async () => {
      await proxy.get(one.name, '/', { 'x-fail-hosts': '1', 'x-status': '500' });
      return (await active()) === 1;
    });
    const states = [await state(side, one.name)];
    for (const status of one.answers) {
      await answer(status);
      states.push(`${status}`, await state(side, one.name));
    }
    const back = states.at(-1)!.includes('ejections_active: 0') ? 2 : 1;
    const lines = (): string[] =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes(`"cluster_name":"${one.name}"`));
    await until(async () => lines().length >= back);
    const events = lines().map((line) =>
      line.replace(/("timestamp"|"secs_since_last_action"):"[^"]+"/g, '$1:""'),
    );
    return [...states, ...named(events, upstreams)].join('\n');
  }
});

function clusterOf({ name, detection }: Case, upstreams: BalancedUpstreams): Json {
  return {
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    outlier_detection: {
      consecutive_5xx: 3,
      base_ejection_time: '100s',
      interval: '100s',
      max_ejection_percent: 100,
      ...detection,
    },
    health_checks: [
      {
        timeout: '5s',
        interval: '0.05s',
        no_traffic_interval: '0.05s',
        unhealthy_threshold: 10_000,
        healthy_threshold: 2,
        http_health_check: { path: `/${name}`, retriable_statuses: [{ start: TIRED, end: TIRED + 1 }] },
      },
    ],
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: upstreams.ports.map((_, i) => upstreams.endpoint(i)) }],
    },
  };
}

async function attempts(proxy: BalancedProxy, cluster: string): Promise<number> {
  const stats = await proxy.stats(cluster, /^health_check\.(success|failure)$/);
  return Object.values(stats).reduce((sum, n) => sum + n, 0);
}

/** Of hosts, and what outlier detection counted. */
async function state({ proxy, upstreams }: Side, cluster: string): Promise<string> {
  const text = await (await fetch(`${proxy.process.admin}/clusters`)).text();
  const stats = await proxy.stats(
    cluster,
    /^outlier_detection\.|^membership_healthy$|^health_check\.healthy$/,
  );
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${cluster}::`) && line.includes('::health_flags::'));
  const counted = Object.entries(stats).map(([name, value]) => `${name}: ${value}`);
  return [...counted.sort(), ...named(lines, upstreams).sort()].join('\n');
}

/** Addresses are numbers of hosts. */
function named(lines: readonly string[], { ports }: BalancedUpstreams): string[] {
  return lines.map((line) =>
    ports.reduce((text, port, i) => text.replaceAll(`127.0.0.1:${port}`, `host ${i}`), line),
  );
}
