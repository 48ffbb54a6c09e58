// When hosts are checked, beside Envoy: the host notes the times, and each of them is told by the interval that it can only
// be. Intervals lie far enough apart for a busy machine; of jitter the distributions are compared.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../fakes/until.ts';
import { type BalancedProxy, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** A busy machine makes a gap longer, which is then taken for another interval. A real difference stays. */
const TRIES = 5;
/** More than any threshold. */
const CHECKS_TO_BE_WELL = 4;
/** A check that this process has noticed late makes the gap after it shorter. */
const EARLY_MS = 100;
/** Times that are spread evenly within a second, of many hosts: with their jitter the mean is 500 ms more than without. */
const JITTERED = 40;
const JITTER_MS = 1000;
const MEANS_DIFFER_MS = 250;
/** The first checks are those of a proxy that starts: gaps after them are looked at, so many of each host. */
const SETTLED = 4;
const GAPS = 4;
/** Longer than a start takes, which holds the first checks up. */
const INITIAL_JITTER_MS = 4000;
const INITIAL_MEANS_DIFFER_MS = 1300;

type Json = Readonly<Record<string, unknown>>;

/** What a check is answered; `silent`: nothing. */
type Answer = number | 'silent' | 'close';

interface Case {
  readonly name: string;
  readonly check: Json;
  /** From when requests have been made, or not. */
  readonly traffic: boolean;
  readonly answers: readonly Answer[];
}

/** ms; each is far from the others. */
const INTERVALS = { interval: 200, unhealthy: 600, unhealthyEdge: 1100, healthyEdge: 1600, noTraffic: 2200 };
const NO_TRAFFIC = { unhealthy: 200, healthy: 800 };

const seconds = (ms: number): string => `${ms / 1000}s`;
const TIMES = {
  timeout: '20s',
  interval: seconds(INTERVALS.interval),
  no_traffic_interval: seconds(INTERVALS.noTraffic),
  unhealthy_threshold: 2,
  healthy_threshold: 3,
};
const EACH = {
  ...TIMES,
  unhealthy_interval: seconds(INTERVALS.unhealthy),
  unhealthy_edge_interval: seconds(INTERVALS.unhealthyEdge),
  healthy_edge_interval: seconds(INTERVALS.healthyEdge),
};
/** 503 counts towards the threshold, 500 is believed at once. */
const THROUGH_ALL: readonly Answer[] = [200, 503, 200, 503, 503, 503, 200, 503, 200, 200, 200, 200, 500, 500];

const CASES: readonly Case[] = [
  { name: 'each_has_its_own', check: EACH, traffic: true, answers: THROUGH_ALL },
  { name: 'interval_for_all', check: TIMES, traffic: true, answers: THROUGH_ALL },
  {
    name: 'unhealthy_interval_for_the_edge',
    check: { ...TIMES, unhealthy_interval: seconds(INTERVALS.unhealthy) },
    traffic: true,
    answers: THROUGH_ALL,
  },
  {
    name: 'nobody_uses_it',
    check: {
      ...EACH,
      no_traffic_interval: seconds(NO_TRAFFIC.unhealthy),
      no_traffic_healthy_interval: seconds(NO_TRAFFIC.healthy),
    },
    traffic: false,
    answers: [200, 200, 503, 503, 200, 200, 200, 200],
  },
  {
    name: 'nobody_uses_it_and_one_interval',
    check: { ...EACH, no_traffic_interval: seconds(NO_TRAFFIC.unhealthy) },
    traffic: false,
    answers: [200, 503, 503, 200, 200],
  },
  {
    name: 'no_answer',
    check: { ...EACH, timeout: '0.2s' },
    traffic: true,
    answers: [200, 'silent', 'silent', 'silent', 200, 200],
  },
  {
    name: 'connection_for_each',
    check: { ...TIMES, reuse_connection: false },
    traffic: true,
    answers: [200, 200, 503, 200],
  },
  {
    name: 'connection_closed_by_the_host',
    check: TIMES,
    traffic: true,
    answers: [200, 'close', 200, 200, 'close', 200],
  },
];

/** Jitter: the check, and where it shows. */
const JITTERS: readonly { readonly name: string; readonly check: Json; readonly first?: boolean }[] = [
  { name: 'interval_jitter', check: { interval_jitter: seconds(JITTER_MS) } },
  {
    name: 'interval_jitter_percent',
    check: { interval_jitter_percent: (100 * JITTER_MS) / INTERVALS.interval },
  },
  {
    name: 'both',
    check: {
      interval_jitter: seconds(JITTER_MS / 2),
      interval_jitter_percent: (50 * JITTER_MS) / INTERVALS.interval,
    },
  },
  { name: 'no_jitter', check: {} },
  { name: 'initial_jitter', check: { initial_jitter: seconds(INITIAL_JITTER_MS) }, first: true },
  { name: 'no_initial_jitter', check: {}, first: true },
];

/** A check as the host saw it. `time`: ms of the monotonic clock. */
interface Check {
  readonly time: number;
  /** The client's port. */
  readonly connection: number;
}

/** A host for all clusters of one proxy; cases by paths. */
class CheckedHost {
  readonly #server = http.createServer((request, response) => this.#answer(request, response));
  /** By path and `host`. */
  readonly checks = new Map<string, Check[]>();
  /** Answers that are still to be given, by path; 200 after them. */
  readonly #script = new Map<string, { answers: readonly Answer[]; from: number }>();
  port = 0;

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  of(path: string, host = 'one'): Check[] {
    const key = `${path} ${host}`;
    let checks = this.checks.get(key);
    if (checks === undefined) this.checks.set(key, (checks = []));
    return checks;
  }

  /** The next check is answered by the first of them. Its number is returned. */
  begin(path: string, answers: readonly Answer[]): number {
    const from = this.of(path).length;
    this.#script.set(path, { answers, from });
    return from;
  }

  #answer({ url = '', headers, socket }: http.IncomingMessage, response: http.ServerResponse): void {
    if (headers['user-agent'] !== 'Envoy/HC') {
      response.end();
      return;
    }
    const checks = this.of(url, headers.host);
    const script = this.#script.get(url);
    const answer = script?.answers[checks.length - script.from] ?? 200;
    checks.push({ time: performance.now(), connection: socket.remotePort ?? 0 });
    if (answer === 'silent') return;
    if (answer === 'close') response.setHeader('connection', 'close');
    response.writeHead(answer === 'close' ? 200 : answer).end();
  }
}

describe('hosts are checked as often as by Envoy', { skip: SKIP, concurrency: true }, () => {
  const sides: { proxy: BalancedProxy; host: CheckedHost }[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const host = new CheckedHost();
      await host.listen();
      const clusters: Record<string, Json> = {};
      for (const { name, check } of CASES) clusters[name] = clusterOf(name, check, host.port, ['one']);
      for (const { name, check } of JITTERS)
        clusters[name] = clusterOf(
          name,
          { ...TIMES, no_traffic_interval: TIMES.interval, ...check },
          host.port,
          hosts(JITTERED),
        );
      sides.push({ proxy: await startBalancer({ clusters }, command), host });
    }
  });
  after(async () => {
    for (const { proxy, host } of sides) {
      await proxy.stop();
      await host.close();
    }
  });

  for (const { name, traffic, answers } of CASES) {
    test(name.replaceAll('_', ' '), async () => {
      let seen: string[][] = [];
      for (let attempt = 0; attempt < TRIES; attempt++) {
        seen = await Promise.all(
          sides.map(async ({ proxy, host }) => {
            const path = `/${name}`;
            if (traffic) await proxy.get(name, '/');
            // What came before is over, and the host is well.
            const now = host.of(path).length;
            await until(() => host.of(path).length > now + CHECKS_TO_BE_WELL);
            const from = host.begin(path, answers);
            await until(() => host.of(path).length > from + answers.length);
            return story(host.of(path).slice(from), answers, traffic ? INTERVALS : NO_TRAFFIC);
          }),
        );
        if (isDeepStrictEqual(seen[1], seen[0])) break;
      }
      assert.deepEqual(seen[1], seen[0]);
    });
  }

  for (const { name, first = false } of JITTERS) {
    test(name.replaceAll('_', ' '), async () => {
      const tolerance = first ? INITIAL_MEANS_DIFFER_MS : MEANS_DIFFER_MS;
      let means: number[] = [];
      for (let attempt = 0; attempt < TRIES; attempt++) {
        means = await Promise.all(
          sides.map(async ({ host }) => {
            const all = hosts(JITTERED).map((one) => host.of(`/${name}`, one));
            const from = first ? SETTLED : Math.max(SETTLED, ...all.map((checks) => checks.length));
            await until(() => all.every((checks) => checks.length >= from + GAPS));
            const firsts = all.map(([check]) => check.time);
            const times = first
              ? firsts.map((time) => time - Math.min(...firsts))
              : all.flatMap((checks) => gapsOf(checks, from));
            return times.reduce((sum, time) => sum + time, 0) / times.length;
          }),
        );
        // What was first is not seen a second time.
        if (first || Math.abs(means[0] - means[1]) < tolerance) break;
      }
      assert.ok(Math.abs(means[0] - means[1]) < tolerance, means.join(' and '));
    });
  }
});

function hosts(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `h${i}`);
}

/** All hosts are one, and are told apart by `host`. */
function clusterOf(name: string, check: Json, port: number, hostnames: readonly string[]): Json {
  return {
    health_checks: [
      { http_health_check: { path: `/${name}`, retriable_statuses: [{ start: 503, end: 504 }] }, ...check },
    ],
    common_lb_config: { healthy_panic_threshold: { value: 100 } },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: hostnames.map((hostname, i) => ({
            endpoint: {
              // Requests go to the first, checks of all to the same port.
              address: { socket_address: { address: '127.0.0.1', port_value: i === 0 ? port : i } },
              health_check_config: { hostname, port_value: port },
            },
          })),
        },
      ],
    },
  };
}

function gapsOf(checks: readonly Check[], from: number): number[] {
  return checks.slice(from, from + GAPS).map(({ time }, i) => time - checks[from + i - 1].time);
}

/** Of each check what it was answered, the interval after it, and whether the next one came over the same connection. */
function story(
  checks: readonly Check[],
  answers: readonly Answer[],
  intervals: Readonly<Record<string, number>>,
): string[] {
  const longestFirst = Object.entries(intervals).sort(([, a], [, b]) => b - a);
  return answers.map((answer, i) => {
    const gap = checks[i + 1].time - checks[i].time;
    const [interval] = longestFirst.find(([, ms]) => gap > ms - EARLY_MS) ?? [`only ${gap} ms`];
    const same = checks[i + 1].connection === checks[i].connection;
    return `${answer}: ${interval} over ${same ? 'the same' : 'another'} connection`;
  });
}
