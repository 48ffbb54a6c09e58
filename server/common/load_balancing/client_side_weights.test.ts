import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host } from '../../../tests/fakes/hosts.ts';
import { RequestHeaders, ResponseHeaders } from '../http/header_map.ts';
import type { Host } from '../upstream/host.ts';
import { ClientSideWeights, HostLoad } from './client_side_weights.ts';
import type { ClientSideWeightedConfig } from './load_balancer_config.ts';
import { maxUtilization, parseOrcaLoadReport } from './orca_load_report.ts';
import { compileRoundRobin } from './policy_settings.ts';

const CONFIG: ClientSideWeightedConfig = {
  ...compileRoundRobin(undefined, undefined, ''),
  policy: 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN',
  blackoutMs: 1000,
  expirationMs: 5000,
  updateMs: 60_000,
  errorPenalty: 1,
  metricNames: [],
  outOfBand: undefined,
};

function weightsOf(hosts: readonly Host[], now: number): number[] {
  const weights = new ClientSideWeights(
    CONFIG,
    () => hosts,
    () => {},
  );
  weights.update(now);
  weights.close();
  return hosts.map((each) => each.load!.weight);
}

function reporting(n: number, weight: number, ...times: number[]): Host {
  const one = host(n);
  one.load = new HostLoad();
  for (const time of times) one.load.report(weight, time);
  return one;
}

describe('client-side weights (ORCA)', () => {
  test('a host without a valid weight gets the median of the others', () => {
    const hosts = [reporting(1, 10, 0), reporting(2, 30, 0), reporting(3, 20, 0), host(4)];
    assert.deepEqual(weightsOf(hosts, 2000), [10, 30, 20, 20]);
    hosts.push(reporting(5, 41, 0));
    assert.deepEqual(weightsOf(hosts, 2000), [10, 30, 20, 25, 41]);
    assert.deepEqual(weightsOf([host(1), host(2)], 0), [1, 1]);
  });

  test('reports count after the blackout, and until they expire; then the blackout begins anew', () => {
    const hosts = [reporting(1, 10, 0), reporting(2, 30, 0)];
    assert.deepEqual(weightsOf(hosts, 999), [1, 1]);
    assert.deepEqual(weightsOf(hosts, 1000), [10, 30]);
    hosts[1].load!.report(40, 4000);
    assert.deepEqual(weightsOf(hosts, 5000), [10, 40]);
    assert.deepEqual(weightsOf(hosts, 5001), [40, 40]);
    hosts[0].load!.report(10, 6000);
    assert.deepEqual(weightsOf(hosts, 6500), [40, 40]);
    assert.deepEqual(weightsOf(hosts, 7000), [10, 40]);
  });

  test('a weight is what a host serves by how busy that keeps it, and errors make it busier', () => {
    const one = host(1);
    const weights = new ClientSideWeights(
      { ...CONFIG, blackoutMs: 0 },
      () => [one],
      () => {},
    );
    const headers = new ResponseHeaders(200);
    headers.set('endpoint-load-metrics', 'TEXT rps_fractional=100,cpu_utilization=0.5,eps=50');
    assert.equal(weights.takeReport(one, headers), true);
    weights.update(performance.now() + 1);
    assert.equal(one.load!.weight, 100);
    headers.set('endpoint-load-metrics', 'TEXT cpu_utilization=0.5');
    assert.equal(weights.takeReport(one, headers), true);
    assert.equal(weights.update(performance.now() + 1), false);
    weights.close();
  });

  test('weights out of band go to the hosts of their slots', () => {
    const hosts = [16, 32, 48].map((slotNumber) => host(slotNumber, { slotNumber }));
    const weights = new ClientSideWeights(
      { ...CONFIG, blackoutMs: 0 },
      () => hosts,
      () => {},
    );
    weights.takeWeights(
      new Map([
        [48, 30],
        [16, 10],
        [64, 99],
      ]),
    );
    weights.update(performance.now() + 1);
    weights.close();
    assert.deepEqual(
      hosts.map((each) => each.load!.weight),
      [10, 20, 30],
    );
  });

  test('the utilization is the highest of the named metrics', () => {
    const headers = new ResponseHeaders(200);
    headers.set(
      'endpoint-load-metrics',
      'JSON {"utilization": {"a": 0.2, "b": 0.4}, "mem_utilization": 0.3}',
    );
    const report = parseOrcaLoadReport(headers)!;
    assert.equal(maxUtilization(report, ['utilization.a']), 0.2);
    assert.equal(maxUtilization(report, ['utilization.a', 'mem_utilization']), 0.3);
    assert.equal(maxUtilization(report, ['utilization.*', 'mem_utilization']), 0.4);
    assert.equal(maxUtilization(report, ['named_metrics.a', 'nothing', 'no.thing']), 0);
  });

  test('reports that cannot be read are none', () => {
    const headers = new RequestHeaders();
    assert.equal(parseOrcaLoadReport(headers), undefined);
    for (const value of ['', 'JSON {', 'TEXT a=1', 'TEXT eps=1,eps=1', 'TEXT eps=x', 'BIN !', 'XML <a/>']) {
      headers.set('endpoint-load-metrics', value);
      const report = parseOrcaLoadReport(headers);
      assert.equal(report === undefined || report.eps === 0, true, value);
    }
  });
});
