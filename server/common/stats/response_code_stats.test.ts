import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatAggregator } from './aggregator.ts';
import { HTTP_LISTENER_STATS, HTTP_STATS } from './families/http.ts';
import { DownstreamResponseCodes, ResponseCodeStats } from './response_code_stats.ts';
import { ThreadStatStore } from './store.ts';

test('responses are counted by code, class and in all, and forgotten with their cluster', () => {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  const stats = new ResponseCodeStats(store, 'cluster.x.');
  for (const status of [200, 200, 404, 503, 100, 599, 600]) stats.charge(status);
  store.flush();
  const value = (name: string): number | undefined => aggregator.value(`cluster.x.upstream_rq_${name}`);
  assert.deepEqual(['1xx', '2xx', '3xx', '4xx', '5xx', 'completed'].map(value), [1, 2, 0, 1, 2, 7]);
  assert.deepEqual(['200', '404', '503', '100', '599', '600', '201'].map(value), [
    2,
    1,
    1,
    1,
    1,
    undefined,
    undefined,
  ]);
  stats.release();
  store.flush();
  assert.deepEqual([...aggregator.families()], []);
});

test('a downstream response is counted for its connection manager and its listener', () => {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  const codes = new DownstreamResponseCodes(
    store.block(HTTP_STATS, 'http.in.'),
    store.block(HTTP_LISTENER_STATS, 'listener.l.http.in.'),
  );
  codes.charge(204);
  codes.charge(500);
  store.flush();
  for (const prefix of ['http.in.', 'listener.l.http.in.']) {
    assert.equal(aggregator.value(`${prefix}downstream_rq_2xx`), 1);
    assert.equal(aggregator.value(`${prefix}downstream_rq_5xx`), 1);
    assert.equal(aggregator.value(`${prefix}downstream_rq_completed`), 2);
  }
});
