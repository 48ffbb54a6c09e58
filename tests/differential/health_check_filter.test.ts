// The health_check filter beside Envoy: who answers a check, with what, for how long, and what /healthcheck/fail changes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const X = 'type.googleapis.com/envoy.extensions';
const CACHE_MS = 1000;
/** Response headers that may differ between two requests to one proxy. */
const VARYING = ['date', 'x-envoy-upstream-service-time', 'x-host', 'transfer-encoding', 'content-length'];

type Json = Readonly<Record<string, unknown>>;

const PASSED: Json = { pass_through_mode: true };
const ANSWERED: Json = { pass_through_mode: false };
const healthy = (percentages: Readonly<Record<string, number>>): Json => ({
  ...ANSWERED,
  cluster_min_healthy_percentages: Object.fromEntries(
    Object.entries(percentages).map(([name, value]) => [name, { value }]),
  ),
});

/** Filters by the paths of their checks. */
const CHECKS: Readonly<Record<string, Json>> = {
  '/answered': ANSWERED,
  '/passed': PASSED,
  '/cached': { ...PASSED, cache_time: `${CACHE_MS / 1000}s` },
  '/all': healthy({ all: 100 }),
  '/half-50': healthy({ half: 50 }),
  '/half-51': healthy({ half: 51 }),
  '/half-49.9': healthy({ half: 49.9 }),
  '/degraded': healthy({ degraded: 50 }),
  '/empty-0': healthy({ empty: 0 }),
  '/empty-1': healthy({ empty: 1 }),
  '/unknown': healthy({ nowhere: 0 }),
  '/two': healthy({ all: 100, half: 50 }),
  '/two-bad': healthy({ all: 100, half: 60 }),
  '/passed-percent': { ...PASSED, cluster_min_healthy_percentages: { half: { value: 100 } } },
};

describe('health_check filter', { skip: SKIP, concurrency: 1 }, () => {
  let upstreams: BalancedUpstreams;
  let proxies: BalancedProxy[] = [];

  before(async () => {
    upstreams = await BalancedUpstreams.start(4);
    upstreams.loads.set(
      'degraded',
      [0, 1, 2, 3].map(() => ({ 'x-envoy-degraded': '' })),
    );
    const of = (...statuses: readonly string[]): Json => ({
      load_assignment: {
        cluster_name: 'c',
        endpoints: [
          { lb_endpoints: statuses.map((health_status, i) => upstreams.endpoint(i, { health_status })) },
        ],
      },
    });
    const format =
      'LOG %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%\n';
    const log = (filter?: Json): Json => ({
      name: 'stdout',
      ...(filter && { filter }),
      typed_config: {
        '@type': `${X}.access_loggers.stream.v3.StdoutAccessLog`,
        log_format: { text_format_source: { inline_string: filter ? 'NO CHECK %REQ(:PATH)%\n' : format } },
      },
    });
    const setup = {
      clusters: {
        all: of('HEALTHY', 'UNKNOWN'),
        half: of('HEALTHY', 'UNHEALTHY', 'UNKNOWN', 'UNHEALTHY'),
        degraded: of('HEALTHY', 'DEGRADED', 'UNHEALTHY', 'UNHEALTHY'),
        empty: of(),
      },
      filters: Object.entries(CHECKS).map(([path, config], i) => ({
        name: `check ${i}`,
        typed_config: {
          '@type': `${X}.filters.http.health_check.v3.HealthCheck`,
          headers: [{ name: ':path', string_match: { exact: path } }],
          ...config,
        },
      })),
      manager: { access_log: [log(), log({ not_health_check_filter: {} })] },
    };
    proxies = [await startBalancer(setup), await startBalancer(setup, PILOTFISH)];
  });

  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await upstreams?.close();
  });

  /** The same answer and the same line in the access log. */
  async function same(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; passed: boolean }> {
    const results = [];
    for (const proxy of proxies) {
      const logged = proxy.process.log.length;
      upstreams.received.length = 0;
      const { status, headers: all } = await proxy.get('all', path, headers);
      let lines: string[] = [];
      for (let i = 0; i < 60 && lines.length === 0; i++) {
        await sleep(20);
        lines = proxy.process.log
          .slice(logged)
          .split('\n')
          .filter((line) => line !== '');
      }
      await sleep(60);
      lines = proxy.process.log
        .slice(logged)
        .split('\n')
        .filter((line) => line !== '');
      const shown = Object.entries(all).filter(([name]) => !VARYING.includes(name));
      results.push({
        status,
        headers: Object.fromEntries(shown),
        passed: upstreams.received.length > 0,
        lines,
      });
    }
    assert.deepEqual(results[1], results[0], path);
    assert.notEqual(results[0].lines.length, 0);
    return results[0];
  }

  for (const path of Object.keys(CHECKS).filter((each) => each !== '/cached'))
    test(`a check: ${path}`, async () => void (await same(path)));

  test('other requests are none of it', async () => {
    assert.equal((await same('/')).passed, true);
    assert.equal((await same('/answered?a=b')).passed, true);
  });

  test('the answer of the upstream is remembered for a while', async () => {
    // Of both proxies' clocks, which began to tick when they started.
    const outcomes = await Promise.all(
      proxies.map(async (proxy) => {
        upstreams.received.length = 0;
        const statuses: number[] = [];
        for (let i = 0; i < 5; i++) statuses.push((await proxy.get('all', '/cached')).status);
        return statuses;
      }),
    );
    assert.deepEqual(outcomes[1], outcomes[0]);
    for (const proxy of proxies) {
      for (const headers of [{ 'x-fail': '1' }, { 'x-load': 'degraded' }] as Record<string, string>[]) {
        // Right after a tick there is time for what follows.
        const begin = Date.now();
        let asked = 0;
        for (let before = upstreams.received.length; Date.now() - begin < 3 * CACHE_MS; await sleep(10)) {
          await proxy.get('all', '/cached', headers);
          if (upstreams.received.length > before) asked++;
          before = upstreams.received.length;
          if (asked === 2) break;
        }
        assert.equal(asked, 2);
        const answer = await proxy.get('all', '/cached');
        assert.equal(answer.status, 'x-fail' in headers ? 503 : 200);
        assert.equal(answer.headers['x-envoy-degraded'], 'x-load' in headers ? '' : undefined);
        assert.equal(answer.headers['x-host'], undefined);
      }
    }
  });

  test('/healthcheck/fail: checks fail, and other answers ask to be left alone and to close', async () => {
    const post = (what: string): Promise<unknown> =>
      Promise.all(
        proxies.map(({ process }) => fetch(`${process.admin}/healthcheck/${what}`, { method: 'POST' })),
      );
    await post('fail');
    await sleep(100);
    for (const path of ['/answered', '/passed', '/cached', '/all', '/']) {
      const { status } = await same(path);
      assert.equal(status, path === '/' ? 200 : 503);
    }
    await post('ok');
    await sleep(100);
    for (const path of ['/answered', '/passed', '/all', '/']) assert.equal((await same(path)).status, 200);
  });

  test('stats', async () => {
    const [envoy, ours] = await Promise.all(
      proxies.map((proxy) => proxy.allStats(/^http\.in\.health_check\./)),
    );
    assert.deepEqual(Object.keys(ours), Object.keys(envoy));
    // How many answers came from memory is a question of time.
    for (const stats of [envoy, ours])
      for (const name of ['request_total', 'cached_response', 'ok', 'failed', 'degraded'])
        delete stats[`http.in.health_check.${name}`];
    assert.deepEqual(ours, envoy);
  });
});

describe('/healthcheck/fail and drain_type', { skip: SKIP }, () => {
  let upstreams: BalancedUpstreams;
  before(async () => {
    upstreams = await BalancedUpstreams.start(1);
  });
  after(() => upstreams?.close());

  for (const drain_type of ['DEFAULT', 'MODIFY_ONLY']) {
    test(`answers of a ${drain_type} listener`, async () => {
      const endpoints = [{ lb_endpoints: [upstreams.endpoint(0)] }];
      const clusters = { c: { load_assignment: { cluster_name: 'c', endpoints } } };
      for (const command of [undefined, PILOTFISH]) {
        const proxy = await startBalancer({ clusters, listener: { drain_type } }, command);
        try {
          await fetch(`${proxy.process.admin}/healthcheck/fail`, { method: 'POST' });
          await sleep(100);
          const { headers } = await proxy.get('c', '/');
          assert.equal(headers.connection, drain_type === 'DEFAULT' ? 'close' : undefined);
        } finally {
          await proxy.stop();
        }
      }
    });
  }
});
