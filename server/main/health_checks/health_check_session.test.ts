import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { CLUSTER_HEALTH_CHECK_STATS } from '../../common/stats/families/cluster.ts';
import { compileHealthCheck, type HealthCheckConfig } from '../../common/upstream/health_check_config.ts';
import { HealthCheckSession, type SessionOwner } from './health_check_session.ts';
import { NETWORK_FAILURE, type Probe, type ProbeResult, SUCCESS } from './probe.ts';

const REFUSED: ProbeResult = {
  ok: false,
  verified: false,
  type: 'ACTIVE',
  retriable: false,
  status: 503,
  exclude: false,
};
const CHECK = {
  timeout: '1s',
  interval: '10s',
  unhealthy_interval: '20s',
  unhealthy_edge_interval: '3s',
  healthy_edge_interval: '4s',
  no_traffic_interval: '70s',
  no_traffic_healthy_interval: '80s',
  unhealthy_threshold: 2,
  healthy_threshold: 2,
  tcp_health_check: {},
};

function compile(check: object, cluster: object = {}): HealthCheckConfig {
  const message = fromJson<Cluster>('envoy.config.cluster.v3.Cluster', {
    name: 'c',
    health_checks: [check],
    ...cluster,
  } as never);
  return compileHealthCheck(message, false, '')!;
}

/** A session whose probe answers as it is told, and whose clock stands still. */
class Scene implements Probe, SessionOwner {
  readonly config: HealthCheckConfig;
  readonly block = new FakeStatStore().block(CLUSTER_HEALTH_CHECK_STATS, '');
  readonly session: HealthCheckSession;
  private readonly clock: TestContext['mock']['timers'];
  private onResult: ((result: ProbeResult) => void) | undefined;
  traffic = true;
  intervals: number[] = [];
  changes = 0;
  aborted = 0;

  constructor(t: TestContext, config: HealthCheckConfig) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    this.clock = t.mock.timers;
    this.config = config;
    this.session = new HealthCheckSession(this, this, undefined, false, 0);
    this.clock.tick(0);
  }

  start(onResult: (result: ProbeResult) => void): void {
    this.onResult = onResult;
  }
  abort(): void {
    this.aborted++;
  }
  close(): void {}
  readonly count = (offset: number, n: number): void => {
    this.block.values[offset] += n;
  };
  hasTraffic(): boolean {
    return this.traffic;
  }
  withJitter(baseMs: number): number {
    this.intervals.push(baseMs);
    return baseMs;
  }
  onChecked(_session: HealthCheckSession, _healthy: boolean, changed: boolean): void {
    if (changed) this.changes++;
  }

  /** The check under way ends so; the next one begins. The result is the interval between them, in s. */
  answer(result: ProbeResult): number {
    this.onResult!(result);
    const interval = this.intervals.at(-1)!;
    this.clock.tick(interval);
    return interval / 1000;
  }
  timeOut(): void {
    this.clock.tick(1000);
  }
  get failed(): boolean {
    return (this.session.flags & HostHealthFlag.FailedActiveHc) !== 0;
  }
  stat(name: keyof typeof CLUSTER_HEALTH_CHECK_STATS.offset): number {
    return this.block.values[CLUSTER_HEALTH_CHECK_STATS.offset[name]];
  }
}

describe('HealthCheckSession', () => {
  test('the first answer decides, then thresholds do; each state has its interval', (t) => {
    const scene = new Scene(t, compile(CHECK));
    assert.equal(scene.failed, true);
    assert.deepEqual([scene.answer(SUCCESS), scene.failed], [10, false]);
    assert.deepEqual([scene.answer(NETWORK_FAILURE), scene.failed], [3, false]);
    assert.deepEqual([scene.answer(SUCCESS), scene.failed], [10, false]);
    assert.deepEqual([scene.answer(NETWORK_FAILURE), scene.failed], [3, false]);
    assert.deepEqual([scene.answer(NETWORK_FAILURE), scene.failed], [20, true]);
    assert.deepEqual([scene.answer(SUCCESS), scene.failed], [4, true]);
    assert.deepEqual([scene.answer(SUCCESS), scene.failed], [10, false]);
    assert.equal(scene.changes, 3);
    assert.deepEqual([scene.stat('attempt'), scene.stat('success'), scene.stat('failure')], [8, 4, 3]);
    assert.deepEqual([scene.stat('network_failure'), scene.stat('healthy')], [3, 1]);
  });

  test('a host that asks to be left alone is, until checks pass again', (t) => {
    const scene = new Scene(t, compile(CHECK));
    scene.answer(SUCCESS);
    scene.session.setUnhealthy();
    const { FailedActiveHc, ExcludedViaImmediateHcFail } = HostHealthFlag;
    assert.equal(scene.session.flags, FailedActiveHc | ExcludedViaImmediateHcFail);
    assert.deepEqual(
      [scene.stat('passive_failure'), scene.stat('failure'), scene.stat('healthy')],
      [1, 1, 0],
    );
    scene.answer(SUCCESS);
    assert.equal(scene.failed, true);
    scene.answer(SUCCESS);
    assert.equal(scene.session.flags, 0);
  });

  test('an answer that says no is believed at once, unless it may be tried again', (t) => {
    const scene = new Scene(t, compile(CHECK));
    scene.answer(SUCCESS);
    scene.answer({ ...REFUSED, retriable: true });
    assert.equal(scene.failed, false);
    scene.answer(REFUSED);
    assert.equal(scene.failed, true);
  });

  test('no answer in time: the check is given up', (t) => {
    const scene = new Scene(t, compile({ ...CHECK, unhealthy_threshold: 1 }));
    scene.answer(SUCCESS);
    scene.timeOut();
    assert.deepEqual([scene.aborted, scene.failed], [1, true]);
    assert.ok(scene.session.flags & HostHealthFlag.ActiveHcTimeout);
  });

  test('while nobody uses the cluster, it is asked less often', (t) => {
    const scene = new Scene(t, compile(CHECK));
    scene.traffic = false;
    assert.deepEqual([scene.answer(SUCCESS), scene.answer(REFUSED), scene.answer(SUCCESS)], [80, 70, 70]);
  });

  test('a degraded host, and one that asks to be left out', (t) => {
    const scene = new Scene(t, compile(CHECK));
    scene.answer({ ok: true, degraded: true, verified: false });
    assert.equal(scene.session.flags, HostHealthFlag.DegradedActiveHc);
    scene.answer(SUCCESS);
    assert.equal(scene.session.flags, 0);
    scene.answer({ ...REFUSED, exclude: true });
    assert.ok(scene.session.flags & HostHealthFlag.ExcludedViaImmediateHcFail);
  });
});

test('what cannot be honoured is refused by its path', () => {
  const cases: [object, object, RegExp][] = [
    [{ ...CHECK, event_service: {} }, {}, /health_checks\[0\]\.event_service/],
    [{ ...CHECK, event_logger: [{ name: 'x' }] }, {}, /health_checks\[0\]\.event_logger\[0\]/],
    [
      { ...CHECK, custom_health_check: { name: 'x' }, tcp_health_check: undefined },
      {},
      /custom_health_check/,
    ],
    [
      { ...CHECK, tcp_health_check: { proxy_protocol_config: { added_tlvs: [{ type: 1, value: 'eA==' }] } } },
      {},
      /tcp_health_check\.proxy_protocol_config\.added_tlvs/,
    ],
    [
      { ...CHECK, tcp_health_check: { send: { text: 'no hex' } } },
      {},
      /tcp_health_check\.send\.text: invalid hex/,
    ],
    [CHECK, { transport_socket: { name: 'tls' } }, /transport socket 'tls'/],
    [{ ...CHECK, tcp_health_check: undefined, grpc_health_check: {} }, {}, /must support HTTP\/2/],
    [
      {
        ...CHECK,
        tcp_health_check: undefined,
        http_health_check: { path: '/', expected_statuses: [{ start: 200, end: 200 }] },
      },
      {},
      /expecting start < end/,
    ],
  ];
  for (const [check, cluster, reason] of cases) assert.throws(() => compile(check, cluster), reason);
});
