// Outlier detection beside Envoy: hosts that fail in the same way must be ejected and taken back in the same way, with the
// same stats, the same /clusters and the same event log.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../fakes/until.ts';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const HOSTS = 6;
/** Rates are judged once an interval, and hosts return at its end. */
const INTERVAL_MS = 1000;
/** Ejections are carried out a moment after the error: on a busy machine a request more may have failed. A real difference stays. */
const TRIES = 3;

type Json = Readonly<Record<string, unknown>>;

interface Case {
  readonly name: string;
  readonly config: Json;
  /** Instead of all hosts. */
  readonly hosts?: readonly (number | 'closed')[];
  /** Of each request. */
  readonly headers?: Record<string, string>;
  readonly requests?: number;
  /** Waits until all hosts came back. */
  readonly returns?: boolean;
  /** Requests go on until these hosts are out by their rates, or for three intervals where none is. */
  readonly rated?: readonly (number | 'closed')[];
  readonly cluster?: Json;
  /** `update_merge_window`. */
  readonly merge?: string;
  /** Hosts are spread over so many. */
  readonly priorities?: number;
}

const SLOW = { interval: `${INTERVAL_MS / 1000}s`, base_ejection_time: '100s', max_ejection_percent: 100 };
/** Longer than all requests of a case take, so that nobody returns and fails anew. */
const FAST = { ...SLOW, base_ejection_time: '3s' };
const NEVER = { enforcing_consecutive_5xx: 0, consecutive_5xx: 10_000, consecutive_gateway_failure: 10_000 };
/**
 * Rates are judged once all hosts have had five requests in an interval, wherever it begins and ends: with fewer hosts than
 * all that is never so, and the requests of hosts differ by one at most.
 */
const judgedOf = (hosts: number, volume = 5): Json => ({
  success_rate_minimum_hosts: hosts,
  success_rate_request_volume: volume,
  failure_percentage_minimum_hosts: hosts,
  failure_percentage_request_volume: volume,
});
const fails = (hosts: string, status: number): Record<string, string> => ({
  'x-fail-hosts': hosts,
  'x-status': `${status}`,
});

const CASES: readonly Case[] = [
  { name: 'consecutive_5xx', config: { ...SLOW, consecutive_5xx: 3 }, headers: fails('0', 500) },
  {
    name: 'consecutive_5xx_returns',
    config: { ...FAST, consecutive_5xx: 3 },
    headers: fails('0,3', 500),
    returns: true,
  },
  {
    name: 'not_enforced',
    config: { ...SLOW, consecutive_5xx: 3, enforcing_consecutive_5xx: 0 },
    headers: fails('0', 500),
  },
  { name: 'not_failures', config: { ...SLOW, consecutive_5xx: 3 }, headers: fails('0', 429) },
  {
    name: 'gateway',
    config: { ...SLOW, ...NEVER, consecutive_gateway_failure: 4, enforcing_consecutive_gateway_failure: 100 },
    headers: fails('1,2', 503),
    requests: 40,
  },
  {
    name: 'gateway_but_500',
    config: { ...SLOW, ...NEVER, consecutive_gateway_failure: 4, enforcing_consecutive_gateway_failure: 100 },
    headers: fails('1', 500),
    requests: 40,
  },
  {
    // One key: the hosts fail one after the other, in the order of the ring.
    name: 'too_many',
    config: { ...SLOW, consecutive_5xx: 2, max_ejection_percent: 34 },
    headers: { ...fails('0,1,2,3,4,5', 502), 'x-key': 'k' },
    cluster: { lb_policy: 'RING_HASH' },
  },
  {
    // The second ejection is told to the workers at the end of the window: until then the host goes on failing.
    name: 'merged',
    config: { ...SLOW, consecutive_5xx: 2 },
    headers: { ...fails('0,1,2,3,4,5', 502), 'x-key': 'k' },
    cluster: { lb_policy: 'RING_HASH' },
    merge: '1s',
  },
  {
    name: 'ten_percent',
    config: { ...SLOW, consecutive_5xx: 2, max_ejection_percent: 10 },
    headers: fails('0', 502),
  },
  {
    name: 'at_least_one',
    config: { ...SLOW, consecutive_5xx: 2, max_ejection_percent: 10, always_eject_one_host: true },
    headers: fails('0', 502),
  },
  {
    name: 'success_rate',
    config: { ...SLOW, ...NEVER, ...judgedOf(HOSTS) },
    headers: fails('4', 500),
    rated: [4],
  },
  {
    name: 'success_rate_too_few_requests',
    config: { ...SLOW, ...NEVER, ...judgedOf(HOSTS, 1_000_000) },
    headers: fails('4', 500),
    rated: [],
  },
  {
    name: 'success_rate_too_few_hosts',
    config: { ...SLOW, ...NEVER, ...judgedOf(HOSTS + 1) },
    headers: fails('4', 500),
    rated: [],
  },
  {
    name: 'failure_percentage',
    config: {
      ...SLOW,
      ...NEVER,
      ...judgedOf(HOSTS),
      enforcing_success_rate: 0,
      enforcing_failure_percentage: 100,
      failure_percentage_threshold: 60,
    },
    headers: fails('2,5', 503),
    rated: [2, 5],
  },
  { name: 'refused', config: { ...SLOW, consecutive_5xx: 3 }, hosts: [0, 1, 'closed'], requests: 20 },
  {
    name: 'refused_split',
    config: { ...SLOW, split_external_local_origin_errors: true, consecutive_local_origin_failure: 3 },
    hosts: [0, 1, 'closed'],
    requests: 20,
  },
  {
    name: 'answers_split',
    config: { ...SLOW, split_external_local_origin_errors: true, consecutive_5xx: 3 },
    headers: fails('0', 503),
  },
  {
    name: 'local_success_rate',
    config: {
      ...SLOW,
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 10_000,
      ...judgedOf(5),
    },
    hosts: [0, 1, 2, 3, 'closed'],
    rated: ['closed'],
  },
  {
    name: 'local_failure_percentage',
    config: {
      ...SLOW,
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 10_000,
      ...judgedOf(5),
      enforcing_local_origin_success_rate: 0,
      enforcing_failure_percentage_local_origin: 100,
    },
    hosts: [0, 1, 2, 3, 'closed'],
    rated: ['closed'],
  },
  {
    name: 'timeouts',
    config: { ...SLOW, consecutive_5xx: 2 },
    hosts: [0, 1],
    headers: { 'x-hold': '1', 'x-route': 'short' },
    requests: 6,
  },
  {
    name: 'timeouts_split',
    config: { ...SLOW, split_external_local_origin_errors: true, consecutive_local_origin_failure: 2 },
    hosts: [0, 1],
    headers: { 'x-hold': '1', 'x-route': 'short' },
    requests: 6,
  },
  {
    name: 'degraded',
    config: { ...SLOW, detect_degraded_hosts: true },
    headers: { 'x-load': 'degraded' },
  },
  {
    name: 'degraded_returns',
    config: { ...FAST, detect_degraded_hosts: true },
    headers: { 'x-load': 'degraded' },
    returns: true,
  },
  { name: 'degraded_not_detected', config: SLOW, headers: { 'x-load': 'degraded' } },
  {
    name: 'degraded_but_500',
    config: { ...SLOW, consecutive_5xx: 3, detect_degraded_hosts: true },
    headers: { ...fails('0', 500), 'x-load': 'degraded' },
  },
  {
    name: 'degraded_with_404',
    config: { ...SLOW, detect_degraded_hosts: true },
    headers: { ...fails('0', 404), 'x-load': 'degraded' },
  },
  {
    name: 'degraded_all',
    config: { ...SLOW, max_ejection_percent: 10, detect_degraded_hosts: true },
    headers: { 'x-load': 'all_degraded' },
  },
  {
    name: 'degraded_and_split',
    config: { ...SLOW, split_external_local_origin_errors: true, detect_degraded_hosts: true },
    headers: { 'x-load': 'degraded' },
  },
  {
    name: 'two_priorities',
    config: { ...SLOW, consecutive_5xx: 2 },
    headers: fails('0,1,2', 500),
    priorities: 2,
  },
];

describe('outlier detection is that of Envoy', { skip: SKIP, concurrency: false }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'outliers-'));
  const proxies: { proxy: BalancedProxy; log: string }[] = [];
  let upstreams: BalancedUpstreams;
  let closed: number;

  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS);
    closed = await closedPort();
    const degraded = { 'x-envoy-degraded': 'true' };
    upstreams.loads.set('degraded', [degraded]);
    upstreams.loads.set('all_degraded', Array<Json>(HOSTS).fill(degraded) as (typeof degraded)[]);
    const endpoint = (host: number | 'closed'): Json =>
      host === 'closed'
        ? { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: closed } } } }
        : upstreams.endpoint(host);
    const clusters = Object.fromEntries(
      Array.from({ length: TRIES }, (_, attempt) =>
        CASES.map((one) => ({ ...one, name: `${one.name}_${attempt}` })),
      )
        .flat()
        .map(({ name, config, hosts = [0, 1, 2, 3, 4, 5], cluster, priorities, merge = '0s' }) => [
          name,
          {
            outlier_detection: config,
            common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: merge },
            load_assignment: {
              cluster_name: name,
              endpoints:
                priorities === undefined
                  ? [{ lb_endpoints: hosts.map(endpoint) }]
                  : [0, 1].map((priority) => ({
                      priority,
                      lb_endpoints: hosts.slice(priority * 3, priority * 3 + 3).map(endpoint),
                    })),
            },
            ...cluster,
          },
        ]),
    );
    for (const command of [undefined, PILOTFISH]) {
      const log = path.join(directory, `${proxies.length}.log`);
      const setup = {
        clusters,
        action: { hash_policy: [{ header: { header_name: 'x-key' } }] },
        routes: { short: { timeout: '0.05s' } },
        bootstrap: { cluster_manager: { outlier_detection: { event_log_path: log } } },
      };
      proxies.push({ proxy: await startBalancer(setup, command), log });
    }
  });
  after(async () => {
    for (const { proxy } of proxies) await proxy.stop();
    await upstreams.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** What can be seen of a cluster after its requests. */
  async function run({ proxy, log }: (typeof proxies)[number], one: Case): Promise<string> {
    const seen =
      one.rated === undefined
        ? await sendAll(proxy, one)
        : await sendUntilRated(proxy, one, one.rated.map(address));
    const sum = (names: RegExp): number =>
      [...seen.matchAll(names)].reduce((total, [, value]) => total + Number(value), 0);
    const ejections = sum(/ejections_detected_\w+: (\d+)/g) - sum(/ejections_overflow: (\d+)/g);
    return `${seen}\n---\n${await events(log, one.name, ejections)}`;
  }

  async function sendAll(proxy: BalancedProxy, one: Case): Promise<string> {
    for (let i = 0; i < (one.requests ?? 36); i++) {
      await proxy.get(one.name, '/', one.headers);
      // Errors are judged on another thread.
      await sleep(2);
    }
    upstreams.release();
    if (one.returns) {
      const healthy = async (): Promise<number | undefined> =>
        (await proxy.stats(one.name, /membership_healthy/)).membership_healthy;
      await until(async () => (await healthy()) === HOSTS);
    }
    return await settled(proxy, one.name);
  }

  /** Until an interval has passed in which those hosts were out all the time, and all others had requests enough. */
  async function sendUntilRated(
    proxy: BalancedProxy,
    { name, headers }: Case,
    out: readonly string[],
  ): Promise<string> {
    let sending = true;
    const requests = (async () => {
      while (sending) await proxy.get(name, '/', headers);
    })();
    try {
      if (out.length === 0) {
        await sleep(3 * INTERVAL_MS);
        return await state(proxy, name);
      }
      let seen = '';
      await until(async () => {
        seen = await state(proxy, name);
        return [...seen.matchAll(/::([\d.:]+)::health_flags::/g)].every(
          ([, host]) =>
            new RegExp(`::${host}::(local_origin_)?success_rate::\\d`).test(seen) !== out.includes(host),
        );
      });
      return seen;
    } finally {
      sending = false;
      await requests;
    }
  }

  function address(host: number | 'closed'): string {
    return `127.0.0.1:${host === 'closed' ? closed : upstreams.ports[host]}`;
  }

  for (const one of CASES) {
    test(one.name.replaceAll('_', ' '), async () => {
      let seen: string[] = [];
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const again = { ...one, name: `${one.name}_${attempt}` };
        seen = (await Promise.all(proxies.map((proxy) => run(proxy, again)))).map(plain);
        if (seen[0] === seen[1]) break;
      }
      assert.equal(seen[1], seen[0]);
    });
  }

  /** Addresses are numbers of hosts, whatever the order of lines. */
  function plain(text: string): string {
    return upstreams.ports.reduce(
      (result, port, i) => result.replaceAll(`127.0.0.1:${port}`, `host ${i}`),
      text,
    );
  }
});

/** The state once nothing is under way between threads any more. */
async function settled(proxy: BalancedProxy, cluster: string): Promise<string> {
  let seen = '';
  await until(async () => {
    const before = seen;
    seen = await state(proxy, cluster);
    return seen === before;
  });
  return seen;
}

/** Stats are of after the hosts, so that they have counted what the hosts show. */
async function state(proxy: BalancedProxy, cluster: string): Promise<string> {
  const text = await (await fetch(`${proxy.process.admin}/clusters`)).text();
  const stats = await proxy.stats(cluster, /^outlier_detection\.|^membership_healthy$|^membership_degraded$/);
  const lines = text
    .split('\n')
    .filter(
      (line) =>
        line.startsWith(`${cluster}::`) &&
        /::(?:health_flags|outlier|success_rate|local_origin_success_rate)::/.test(line),
    );
  const counted = Object.entries(stats)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}: ${value}`);
  return [...counted.sort(), ...lines.sort()].join('\n');
}

/** The cluster's events without their times, in an order that does not depend on which host came first. */
async function events(log: string, cluster: string, ejections: number): Promise<string> {
  for (const deadline = performance.now() + 3000; ; await sleep(50)) {
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"cluster_name":"${cluster}"`));
    if (lines.length < ejections && performance.now() < deadline) continue;
    return lines
      .map((line) => line.replace(/("timestamp"|"secs_since_last_action"):"[^"]+"/g, '$1:""'))
      .sort()
      .join('\n');
  }
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
