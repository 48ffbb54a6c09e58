import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromJson } from '../../../xds-protos/json.ts';
import { create } from '../../../xds-protos/load.ts';
import type { StatTag } from '../../api/stats.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { IstioMetrics } from '../../extensions/filters/http/stats/istio_metrics.ts';
import { MetricOverrides } from '../../extensions/filters/http/stats/metric_overrides.ts';
import { StatEviction, statsEvictionIntervalMs } from './stat_eviction.ts';

const OVERRIDES = new MetricOverrides(create('stats.PluginConfig'), '');
const tagsOf = (code: string) => (): readonly StatTag[] => [{ name: 'response_code', value: code }];

describe('StatEviction', () => {
  test('takes away what no worker writes, and what comes again begins anew', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const aggregator = new StatAggregator();
    const stores = ['one', 'two'].map(
      (name) => new ThreadStatStore((message) => aggregator.apply(name, structuredClone(message))),
    );
    const [one, two] = stores.map((store) => new IstioMetrics(store, OVERRIDES));
    const eviction = new StatEviction(60_000, aggregator, (idle) => {
      for (const store of stores) store.evict(idle);
    });
    t.after(() => eviction.close());
    const count = (metrics: IstioMetrics | undefined, code: string): void => {
      const handles = metrics!.handles(code, [], tagsOf(code));
      handles.add('requests_total', 1);
      handles.record('request_duration_milliseconds', 'ms', 5);
    };
    const read = (code: string): number | undefined => {
      for (const store of stores) store.flush();
      return aggregator.value(`istiocustom.istio_requests_total.response_code.${code}`);
    };
    const interval = async (): Promise<void> => {
      for (const store of stores) store.flush();
      t.mock.timers.tick(60_000);
      await new Promise(setImmediate);
    };
    // The first to have another value than before is the end of the interval in which it came.
    for (const code of ['200', '404']) count(one, code);
    count(two, '200');
    stores[0]!.gauge('istiocustom.istio_build', tagsOf('0')()).set(1);
    await interval();
    assert.deepEqual([read('200'), read('404')], [2, 1]);
    // Only one worker goes on with the one, and nobody with the other.
    count(one, '200');
    await interval();
    assert.deepEqual([read('200'), read('404')], [3, undefined]);
    count(two, '404');
    count(two, '200');
    assert.deepEqual([read('200'), read('404')], [4, 1]);
    await interval();
    await interval();
    assert.deepEqual([read('200'), read('404')], [undefined, undefined]);
    assert.equal(aggregator.value('istiocustom.istio_build.response_code.0'), 1);
    assert.equal([...aggregator.families()].length, 1);
  });

  test('its interval is a number of flushes', () => {
    const intervalOf = (json: object): number | undefined =>
      statsEvictionIntervalMs(fromJson('envoy.config.bootstrap.v3.Bootstrap', json as never) as never);
    assert.equal(intervalOf({}), undefined);
    assert.equal(intervalOf({ stats_eviction_interval: '10s' }), 10_000);
    assert.equal(intervalOf({ stats_eviction_interval: '6s', stats_flush_interval: '3s' }), 6_000);
    assert.throws(() => intervalOf({ stats_eviction_interval: '7s' }), {
      path: 'stats_eviction_interval',
      reason: 'must be a multiple of stats_flush_interval',
    });
  });
});
