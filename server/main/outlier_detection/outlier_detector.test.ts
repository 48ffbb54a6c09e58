import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { FakeStatStore, fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { host } from '../../../tests/fakes/hosts.ts';
import type { OutlierDetection } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { HOST_SLOTS, HostSlot } from '../../api/upstream/host.ts';
import { CLUSTER_OUTLIER_DETECTION_STATS } from '../../common/stats/families/cluster.ts';
import type { Host } from '../../common/upstream/host.ts';
import { compileOutlierDetection } from '../../common/upstream/outlier_detection_config.ts';
import { OutlierMonitor } from '../../common/upstream/outlier_monitor.ts';
import { PIECE_SLOTS, SharedTable } from '../../common/upstream/shared_table.ts';
import { OutlierDetector } from './outlier_detector.ts';

const detectors: OutlierDetector[] = [];
afterEach(() => {
  for (const detector of detectors.splice(0)) detector.close();
});

/** A cluster of some hosts, whose workers and detector are in this thread; time stands still until it is moved. */
class Scene {
  now = 1_000_000;
  random = 0;
  readonly events: string[] = [];
  readonly hosts: readonly Host[];
  readonly stats = new FakeStatStore();
  readonly detector: OutlierDetector;
  readonly monitor: OutlierMonitor;
  healthChanges = 0;

  constructor(count: number, json: object, runtime = fakeRuntime()) {
    const message = fromJson<OutlierDetection>('envoy.config.cluster.v3.OutlierDetection', json as never);
    const config = compileOutlierDetection(message, 'outlier_detection')!;
    const memory = new SharedArrayBuffer(PIECE_SLOTS * Int32Array.BYTES_PER_ELEMENT);
    const table = new SharedTable();
    table.add(0, memory);
    this.hosts = Array.from({ length: count }, (_, i) =>
      host(i, { table: new Int32Array(memory), slot: i * HOST_SLOTS, slotNumber: i * HOST_SLOTS }),
    );
    this.detector = new OutlierDetector({
      config,
      runtime,
      table,
      stats: this.stats.block(CLUSTER_OUTLIER_DETECTION_STATS, ''),
      events: {
        onHealthChange: () => this.healthChanges++,
        onEject: (slot, { numEjections }, type, enforced) =>
          this.events.push(`${slot / HOST_SLOTS} ${type} ${enforced ? numEjections : 'not enforced'}`),
        onUneject: (slot) => this.events.push(`${slot / HOST_SLOTS} back`),
      },
      now: () => this.now,
      randomBelow: (n) => Math.floor(this.random * n),
    });
    detectors.push(this.detector);
    this.detector.setHosts(Int32Array.from(this.hosts, ({ slotNumber }) => slotNumber));
    this.monitor = new OutlierMonitor(config, runtime, ({ slotNumber }, event) => {
      if (event === 'DEGRADED') this.detector.onDegraded(slotNumber);
      else this.detector.onConsecutiveError(slotNumber, event);
    });
  }

  respond(n: number, code: number, times: number): void {
    for (let i = 0; i < times; i++) this.monitor.putHttpResponseCode(this.hosts[n], code);
  }

  /** Time passes, and an interval ends. */
  interval(ms: number): void {
    this.now += ms;
    this.detector.onInterval();
  }

  get ejected(): number[] {
    return this.hosts.flatMap(({ health }, n) => (health === 'unhealthy' ? [n] : []));
  }
}

const ALL = { max_ejection_percent: 100 };

describe('OutlierDetector', () => {
  test('five 5xx in a row, and not four and one', () => {
    const scene = new Scene(3, ALL);
    scene.respond(0, 500, 4);
    scene.respond(0, 200, 1);
    scene.respond(0, 500, 4);
    assert.deepEqual(scene.ejected, []);
    scene.respond(0, 500, 1);
    assert.deepEqual(scene.ejected, [0]);
    assert.deepEqual(scene.events, ['0 CONSECUTIVE_5XX 1']);
    assert.equal(scene.healthChanges, 1);
  });

  test('out for base time × ejections, at most the maximum; quiet intervals make it shorter again', () => {
    const scene = new Scene(3, { ...ALL, base_ejection_time: '30s', max_ejection_time: '70s' });
    const outFor = (): number => {
      scene.respond(0, 500, 5);
      assert.deepEqual(scene.ejected, [0]);
      for (let s = 1; ; s++) {
        scene.interval(1000);
        if (scene.ejected.length === 0) return s;
      }
    };
    assert.deepEqual([outFor(), outFor(), outFor(), outFor()], [30, 60, 70, 70]);
    // Each interval of 10 s without an ejection takes one away; it was counted up to 4 (4 × 30 s > 70 s + 30 s - 30 s).
    for (let i = 0; i < 3; i++) scene.interval(10_000);
    assert.equal(outFor(), 30 + 30);
  });

  test('a host that says so is degraded for as long, and an ejection goes before that', () => {
    const scene = new Scene(3, { ...ALL, detect_degraded_hosts: true });
    const degraded = (): boolean[] =>
      scene.hosts.map(({ slotNumber }) => scene.detector.monitor(slotNumber)!.degraded);
    scene.monitor.putDegraded(scene.hosts[1]);
    scene.monitor.putDegraded(scene.hosts[1]);
    assert.deepEqual(degraded(), [false, true, false]);
    assert.deepEqual(scene.events, ['1 DEGRADED 0']);
    assert.equal(scene.stats.value('ejections_detected_degradation'), 1);
    assert.equal(scene.stats.value('ejections_active'), 0);
    scene.interval(29_000);
    assert.deepEqual(degraded(), [false, true, false]);
    scene.interval(1_000);
    assert.deepEqual(degraded(), [false, false, false]);
    assert.deepEqual(scene.events, ['1 DEGRADED 0', '1 back']);
    scene.respond(0, 500, 5);
    scene.monitor.putDegraded(scene.hosts[0]);
    assert.deepEqual(degraded(), [false, false, false]);
    scene.monitor.putDegraded(scene.hosts[2]);
    scene.detector.close();
    assert.deepEqual(
      scene.hosts.map(({ table, slot }) => table[slot + HostSlot.HealthFlags]),
      [0, 0, 0],
    );
  });

  test('a returned host begins at zero', () => {
    const scene = new Scene(2, ALL);
    scene.respond(0, 500, 5);
    scene.respond(0, 503, 4);
    scene.interval(30_000);
    assert.deepEqual(scene.ejected, []);
    scene.respond(0, 503, 4);
    assert.deepEqual(scene.ejected, []);
  });

  test('never more than the percentage; always one where that is wanted', () => {
    const scene = new Scene(5, { max_ejection_percent: 40 });
    for (let n = 0; n < 3; n++) scene.respond(n, 500, 5);
    assert.deepEqual(scene.ejected, [0, 1]);
    assert.equal(scene.stats.value('ejections_overflow'), 1);
    assert.equal(scene.stats.value('ejections_active'), 2);
    const few = new Scene(5, {});
    few.respond(0, 500, 5);
    assert.deepEqual(few.ejected, []);
    const one = new Scene(5, { always_eject_one_host: true });
    one.respond(0, 500, 5);
    one.respond(1, 500, 5);
    assert.deepEqual(one.ejected, [0]);
  });

  test('a part of the ejections is carried out; the runtime may say which', () => {
    const scene = new Scene(3, { ...ALL, enforcing_consecutive_5xx: 30 });
    scene.random = 0.5;
    scene.respond(0, 500, 5);
    assert.deepEqual([scene.ejected, scene.events], [[], ['0 CONSECUTIVE_5XX not enforced']]);
    const runtime = fakeRuntime({ 'outlier_detection.consecutive_5xx': 2 });
    const sooner = new Scene(3, ALL, runtime);
    sooner.respond(1, 502, 2);
    assert.deepEqual(sooner.ejected, [1]);
  });

  test('success rate: who is worse than the average by so many deviations', () => {
    const scene = new Scene(5, { ...ALL, consecutive_5xx: 1000, success_rate_request_volume: 100 });
    for (let n = 0; n < 5; n++) {
      scene.respond(n, 200, n === 4 ? 50 : 100);
      if (n === 4) scene.respond(n, 500, 50);
    }
    scene.interval(10_000);
    // Envoy's document: of 50, 100, 100, 100, 100 the average is 90 and the deviation 20.
    assert.deepEqual(scene.detector.rates.external, { average: 90, threshold: 52 });
    assert.deepEqual(scene.ejected, [4]);
    assert.equal(scene.detector.monitor(4 * HOST_SLOTS)?.successRate.external, 50);
    // The next interval has no requests: nothing is known.
    scene.interval(10_000);
    assert.deepEqual(scene.detector.rates.external, { average: -1, threshold: -1 });
  });

  test('failure percentage, where it is enforced', () => {
    const config = {
      ...ALL,
      consecutive_5xx: 1000,
      enforcing_success_rate: 0,
      enforcing_failure_percentage: 100,
    };
    const scene = new Scene(5, {
      ...config,
      failure_percentage_request_volume: 20,
      failure_percentage_threshold: 50,
    });
    for (let n = 0; n < 5; n++) {
      scene.respond(n, 500, 4 * n);
      scene.respond(n, 200, 20 - 4 * n);
    }
    scene.interval(10_000);
    assert.deepEqual(scene.ejected, [3, 4]);
  });

  test('both rates name one host: it is ejected once, and what is not enforced is told', () => {
    const rates = { ...ALL, consecutive_5xx: 1000, failure_percentage_request_volume: 50 };
    const fail = (config: object): Scene => {
      const scene = new Scene(5, { ...rates, success_rate_request_volume: 50, ...config });
      for (let n = 0; n < 5; n++) scene.respond(n, n === 4 ? 500 : 200, 50);
      scene.interval(10_000);
      return scene;
    };
    const told = fail({});
    assert.deepEqual(told.events, ['4 SUCCESS_RATE 1', '4 FAILURE_PERCENTAGE not enforced']);
    const both = fail({ enforcing_failure_percentage: 100 });
    assert.deepEqual(both.events, ['4 SUCCESS_RATE 1']);
    assert.equal(both.stats.value('ejections_active'), 1);
    assert.equal(both.stats.value('ejections_detected_failure_percentage'), 1);
  });

  test('failures to connect count as answers, or apart', () => {
    const together = new Scene(2, ALL);
    for (let i = 0; i < 4; i++) together.monitor.putConnectFailed(together.hosts[0]);
    together.monitor.putConnectSuccess(together.hosts[0]);
    together.monitor.putTimeout(together.hosts[0]);
    assert.deepEqual(together.events.slice(-1), ['0 CONSECUTIVE_5XX 1']);
    const apart = new Scene(2, { ...ALL, split_external_local_origin_errors: true });
    for (let i = 0; i < 4; i++) apart.monitor.putConnectFailed(apart.hosts[0]);
    apart.monitor.putConnectSuccess(apart.hosts[0]);
    apart.monitor.putConnectFailed(apart.hosts[0]);
    apart.respond(0, 500, 4);
    assert.deepEqual(apart.ejected, []);
    for (let i = 0; i < 4; i++) apart.monitor.putTimeout(apart.hosts[0]);
    assert.deepEqual(apart.events, ['0 CONSECUTIVE_LOCAL_ORIGIN_FAILURE 1']);
  });

  test('hosts that go take their ejection along, and a detector that ends takes all hosts back', () => {
    const scene = new Scene(4, ALL);
    for (const n of [0, 1, 2]) scene.respond(n, 500, 5);
    scene.detector.setHosts(Int32Array.from(scene.hosts.slice(1), ({ slotNumber }) => slotNumber));
    assert.equal(scene.stats.value('ejections_active'), 2);
    scene.detector.close();
    assert.equal(scene.stats.value('ejections_active'), 0);
    assert.deepEqual(scene.ejected, [0], 'nobody asks for a host that is gone');
  });

  test('an ejection must not end before it begins to count', () => {
    const json = { base_ejection_time: '40s', max_ejection_time: '30s' };
    assert.throws(() => new Scene(1, json), /max_ejection_time cannot be smaller than base_ejection_time/);
    // Without a maximum of its own the base time is the maximum.
    assert.doesNotThrow(() => new Scene(1, { base_ejection_time: '400s' }));
  });
});
