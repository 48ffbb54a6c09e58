import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeStatStore, fakeFactoryContext, fakeRuntime } from '../../../../tests/fakes/factory_context.ts';
import { ZipkinReporter } from './reporter.ts';

const COLLECTOR = { cluster: 'none', hostname: 'none', path: '/', headers: [] };

function reporter(values: Record<string, number>): { reporter: ZipkinReporter; stats: FakeStatStore } {
  const stats = new FakeStatStore();
  const context = fakeFactoryContext({ stats, runtime: fakeRuntime(values) });
  return { reporter: new ZipkinReporter(COLLECTOR, context), stats };
}

test('spans go when there are enough, and without a collector they are skipped', () => {
  const { reporter: one, stats } = reporter({});
  for (let i = 0; i < 4; i++) one.report('{}');
  assert.deepEqual(stats.all(), {});
  one.report('{}');
  assert.deepEqual(stats.all(), {
    'tracing.zipkin.spans_sent': 5,
    'tracing.zipkin.reports_skipped_no_cluster': 1,
  });
});

test('what waits has a bound', () => {
  const { reporter: one, stats } = reporter({ 'tracing.zipkin.min_flush_spans': 1_000_000 });
  for (let i = 0; i < 5000; i++) one.report('{}');
  assert.equal(stats.value('tracing.zipkin.spans_sent'), 4096);
});

test('a span alone goes when its time has come', async () => {
  const { reporter: one, stats } = reporter({ 'tracing.zipkin.flush_interval_ms': 20 });
  one.report('{}');
  for (const deadline = Date.now() + 3000; Date.now() < deadline; await sleep(10))
    if (stats.value('tracing.zipkin.timer_flushed') > 0) break;
  assert.equal(stats.value('tracing.zipkin.timer_flushed'), 1);
  assert.equal(stats.value('tracing.zipkin.spans_sent'), 1);
});
