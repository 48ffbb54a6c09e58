import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeFilterCallbacks, fakeCluster } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders } from '../../../../../tests/fakes/log_context.ts';
import { FilterHeadersStatus } from '../../../../api/http/filter.ts';
import { WorkerClusterDiscoveries } from '../../../../worker/cluster_discoveries.ts';
import { OnDemandFilter } from './on_demand.ts';

const HEADERS = requestHeaders({ ':path': '/' });

describe('the on_demand filter', () => {
  const asked: string[] = [];
  const discoveries = new WorkerClusterDiscoveries((source, cluster) => asked.push(`${source} ${cluster}`));
  const discovery = discoveries.of('ads');

  function stream(timeoutMs = 1000): {
    filter: OnDemandFilter;
    callbacks: FakeFilterCallbacks;
    name: string;
  } {
    asked.length = 0;
    const filter = new OnDemandFilter({ discovery, timeoutMs });
    const callbacks = new FakeFilterCallbacks(filter);
    const name = callbacks.currentRoute!.routeEntry!.clusterName(HEADERS, 0);
    return { filter, callbacks, name };
  }

  test('waits for a cluster that is not there, and goes on when it comes', () => {
    const { filter, callbacks, name } = stream();
    assert.equal(filter.decodeHeaders(HEADERS), FilterHeadersStatus.StopAllIterationAndWatermark);
    assert.deepEqual(asked, [`ads ${name}`]);
    discoveries.settle('another');
    assert.equal(callbacks.continuedDecoding, 0);
    discoveries.settle(name);
    assert.equal(callbacks.continuedDecoding, 1);
    filter.onDestroy();
  });

  test('asks once for all who wait', () => {
    const first = stream();
    const second = stream();
    first.filter.decodeHeaders(HEADERS);
    second.filter.decodeHeaders(HEADERS);
    assert.equal(asked.length, 1);
    first.filter.onDestroy();
    discoveries.settle(first.name);
    assert.deepEqual([first.callbacks.continuedDecoding, second.callbacks.continuedDecoding], [0, 1]);
    second.filter.onDestroy();
  });

  test('goes on without it when the time is up', async () => {
    const { filter, callbacks, name } = stream(20);
    filter.decodeHeaders(HEADERS);
    await sleep(80);
    assert.equal(callbacks.continuedDecoding, 1);
    discoveries.settle(name);
    assert.equal(callbacks.continuedDecoding, 1);
    filter.onDestroy();
  });

  test('waits for routes, and then for the cluster that they lead to', () => {
    const { filter, callbacks, name } = stream();
    const route = callbacks.currentRoute;
    let waits = 0;
    callbacks.currentRoute = undefined;
    callbacks.requestRouteConfigUpdate = () => {
      waits++;
      return () => waits--;
    };
    callbacks.refreshRouteConfig = () => (callbacks.currentRoute = route);
    assert.equal(filter.decodeHeaders(HEADERS), FilterHeadersStatus.StopAllIterationAndWatermark);
    assert.deepEqual([waits, asked], [1, []]);
    filter.onRoutesDiscovered();
    assert.deepEqual(asked, [`ads ${name}`]);
    assert.equal(callbacks.continuedDecoding, 0);
    discoveries.settle(name);
    assert.equal(callbacks.continuedDecoding, 1);
    filter.onDestroy();
    assert.equal(waits, 1);
  });

  test('goes on without routes that there are not, and waits no more when its stream ends', () => {
    const { filter, callbacks } = stream();
    callbacks.currentRoute = undefined;
    assert.equal(filter.decodeHeaders(HEADERS), FilterHeadersStatus.Continue);
    let waits = 0;
    callbacks.requestRouteConfigUpdate = () => {
      waits++;
      return () => waits--;
    };
    assert.equal(filter.decodeHeaders(HEADERS), FilterHeadersStatus.StopAllIterationAndWatermark);
    filter.onDestroy();
    assert.equal(waits, 0);
  });

  test('has nothing to do for a cluster that is there, nor without a source', () => {
    const { filter, callbacks } = stream();
    callbacks.cluster = fakeCluster({});
    assert.equal(filter.decodeHeaders(HEADERS), FilterHeadersStatus.Continue);
    const without = new OnDemandFilter({ discovery: undefined, timeoutMs: 0 });
    new FakeFilterCallbacks(without);
    assert.equal(without.decodeHeaders(HEADERS), FilterHeadersStatus.Continue);
    assert.deepEqual(asked, []);
  });
});
