import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish } from '../../common/event/steps.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { HTTP_STATS } from '../../common/stats/families/http.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { histogramSeriesOf } from './histogram_series.ts';
import { StatSeries } from './stat_series.ts';

test('a series keeps the last 15 minutes of the sum over all prefixes', () => {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  const series = new StatSeries(aggregator);
  assert.deepEqual([series.times, series.values('http.downstream_rq_total')], [[], []]);
  const blocks = ['http.a.', 'http.b.', 'http.admin.'].map((prefix) => store.block(HTTP_STATS, prefix));
  store.flush();
  const slot = HTTP_STATS.offset.downstream_rq_total;
  for (let i = 1; i <= 200; i++) {
    for (const { values, base } of blocks) values[base + slot] = i;
    series.sample(i * 5000);
  }
  const { times } = series;
  const values = series.values('http.downstream_rq_total')!;
  assert.equal(times.length, 180);
  assert.deepEqual([times[0], times.at(-1)], [21 * 5000, 200 * 5000]);
  assert.deepEqual([values[0], values.at(-1)], [42, 400]);
  assert.ok(Object.is(series.values('cluster.upstream_rq_total')![0], 0));
  assert.ok(series.values('server.memory_physical_size')!.every((bytes) => bytes > 1e6));
  assert.equal(series.values('nothing'), undefined);
  // A stat by its name: from the first question on, until nobody has asked for 15 minutes.
  assert.ok(series.values('http.a.downstream_rq_total')!.every(Number.isNaN));
  series.sample(201 * 5000);
  assert.deepEqual(series.values('http.a.downstream_rq_total')!.slice(-2), [Number.NaN, 200]);
  for (let i = 202; i <= 400; i++) series.sample(i * 5000);
  assert.ok(series.values('http.a.downstream_rq_total')!.every(Number.isNaN));
});

test('a histogram is sampled from the first question on, until nobody has asked for 15 minutes', () => {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  const series = new StatSeries(aggregator);
  const histogram = store.histogram('took', 'ms');
  store.flush();
  const record = (...values: readonly number[]): void => {
    for (const value of values) histogram.record(value);
    store.flush();
    finish(aggregator.flushHistograms());
  };
  const bounds = [10, 100];
  const heat = histogramSeriesOf(aggregator, series);
  record(5);
  assert.deepEqual(heat.columns('took', bounds, 0), []);
  record(5, 50, 50);
  series.sample(5_000);
  series.sample(10_000);
  assert.deepEqual(heat.columns('took', bounds, 10_000), [
    { at: 5_000, counts: [1, 2] },
    { at: 10_000, counts: [0, 0] },
  ]);
  for (let i = 3; i <= 200; i++) series.sample(i * 5_000);
  // Forgotten meanwhile: it begins anew.
  assert.deepEqual(heat.columns('took', bounds, 1_000_000), []);
  for (let i = 201; i <= 300; i++) series.sample(i * 5_000);
  heat.columns('took', bounds, 0);
  for (let i = 301; i <= 400; i++) series.sample(i * 5_000);
  const columns = heat.columns('took', bounds, 0)!;
  assert.deepEqual([columns.length, columns[0]!.at, columns.at(-1)!.at], [180, 221 * 5_000, 400 * 5_000]);
  assert.equal(heat.columns('nothing', bounds, 0), undefined);
});
