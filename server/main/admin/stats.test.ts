import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serveAdmin } from '../../../tests/fakes/admin_client.ts';
import { type FakeAdminContext, fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { create } from '../../../xds-protos/load.ts';
import { finish } from '../../common/event/steps.ts';
import { compileStatsConfig } from '../../common/stats/stats_config.ts';

/** Stats with values of a recorded Envoy. */
function recordedStats(overrides: Parameters<typeof fakeAdminContext>[0] = {}): FakeAdminContext {
  const context = fakeAdminContext(overrides);
  const { store } = context;
  store.counter('cluster.h1.upstream_rq_total').add(21);
  store.counter('cluster.h1.upstream_rq_200').add(21);
  store.counter('cluster.h1.upstream_rq_503');
  store.counter('cluster.h2.upstream_rq_total');
  store.gauge('server.live').set(1);
  store.gauge('cluster.h1.circuit_breakers.default.remaining_cx_pools').set(2 ** 64);
  store.textReadout('cluster.h1.version_text', 'v"1"');
  store.histogram('cluster.h2.upstream_cx_length_ms', 'ms');
  const lengths = store.histogram('cluster.h1.upstream_cx_length_ms', 'ms');
  for (const value of [...Array<number>(17).fill(0), 1, 1, 2, 3, 4, 7, 40]) lengths.record(value);
  store.flush();
  finish(context.stats.flushHistograms());
  finish(context.stats.flushHistograms());
  return context;
}

const SUMMARY =
  'P0(nan,0) P25(nan,0) P50(nan,0) P75(nan,1.0333333333333334) P90(nan,4.05) P95(nan,7.05) P99(nan,40.5) P99.5(nan,40.5) P99.9(nan,40.5) P100(nan,40.5)';

describe('/stats', () => {
  test('texts, then counters and gauges, then histograms', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    assert.equal(
      (await ask('/stats')).body,
      [
        'cluster.h1.version_text: "v&quot;1&quot;"',
        'cluster.h1.circuit_breakers.default.remaining_cx_pools: 18446744073709551615',
        'cluster.h1.upstream_rq_200: 21',
        'cluster.h1.upstream_rq_503: 0',
        'cluster.h1.upstream_rq_total: 21',
        'cluster.h2.upstream_rq_total: 0',
        'server.live: 1',
        `cluster.h1.upstream_cx_length_ms: ${SUMMARY}`,
        'cluster.h2.upstream_cx_length_ms: No recorded values',
        '',
      ].join('\n'),
    );
  });

  test('filter, invert_filter, usedonly and type', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const names = async (query: string): Promise<string[]> =>
      (await ask(`/stats?${query}`)).body.split('\n').flatMap((line) => /^[\w.]+/.exec(line)?.[0] ?? []);
    assert.deepEqual(await names('filter=%5Eserver%5C.'), ['server.live']);
    assert.deepEqual(await names('filter=cluster&invert_filter'), ['server.live']);
    assert.deepEqual(await names('usedonly&filter=rq_'), [
      'cluster.h1.upstream_rq_200',
      'cluster.h1.upstream_rq_total',
    ]);
    assert.deepEqual(await names('type=Gauges&filter=live'), ['server.live']);
    assert.deepEqual(await names('type=Histograms&usedonly'), ['cluster.h1.upstream_cx_length_ms']);
    assert.deepEqual(await names('type=TextReadouts'), ['cluster.h1.version_text']);
    assert.deepEqual(await names('hidden=only'), []);
  });

  test('histogram_buckets', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const lines = async (mode: string): Promise<string> =>
      (await ask(`/stats?type=Histograms&filter=h1&histogram_buckets=${mode}`)).body;
    assert.match(
      await lines('cumulative'),
      / B0\.5\(0,17\) B1\(0,19\) B5\(0,22\) B10\(0,23\) .* B600000\(0,24\) B1\.8e\+06\(0,24\) B3\.6e\+06\(0,24\)\n$/,
    );
    assert.match(
      await lines('disjoint'),
      / B0\.5\(0,17\) B1\(0,2\) B5\(0,3\) B10\(0,1\) B25\(0,0\) B50\(0,1\) B100\(0,0\) /,
    );
    assert.equal(
      await lines('detailed'),
      'cluster.h1.upstream_cx_length_ms:\n  totals=0,0:17, 1,0.1:2, 2,0.1:1, 3,0.1:1, 4,0.1:1, 7,0.1:1, 40,1:1\n' +
        `  intervals=\n  summary=${SUMMARY}\n`,
    );
    assert.equal(await lines('summary'), `cluster.h1.upstream_cx_length_ms: ${SUMMARY}\n`);
  });

  test('as JSON', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const { headers, body } = await ask('/stats?format=json&filter=h1%5C.up');
    assert.equal(headers['content-type'], 'application/json');
    const { stats } = JSON.parse(body);
    assert.deepEqual(stats.slice(0, 3), [
      { name: 'cluster.h1.upstream_rq_200', value: 21 },
      { name: 'cluster.h1.upstream_rq_503', value: 0 },
      { name: 'cluster.h1.upstream_rq_total', value: 21 },
    ]);
    const { supported_quantiles, computed_quantiles } = stats[3].histograms;
    assert.deepEqual(supported_quantiles, [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]);
    assert.deepEqual(computed_quantiles[0].values[4], { cumulative: 4.05, interval: null });
    assert.equal((await ask('/stats?format=json&filter=nothing')).body, '{"stats":[]}');
    const cumulative = (
      await ask('/stats?format=json&type=Histograms&filter=h1&histogram_buckets=cumulative')
    ).body;
    assert.ok(cumulative.includes('{"upper_bound":3e+05,"interval":0,"cumulative":24}'));
    const detailed = JSON.parse(
      (await ask('/stats?format=json&filter=h1%5C.up.*ms&histogram_buckets=detailed')).body,
    );
    assert.deepEqual(detailed.stats[0].histograms.details[0].totals[1], {
      lower_bound: 1,
      width: 0.1,
      count: 2,
    });
  });

  test('as a page', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    assert.match((await ask('/stats?format=html')).body, /<pre>\n.*server\.live: 1\n.*<\/pre>/s);
    assert.match((await ask('/stats?format=active-html')).body, /http-equiv="refresh"/);
  });

  test('errors', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const expected = {
      'format=foo': 'usage: /stats?format=(html|active-html|json|prometheus|text)\n\n',
      'hidden=foo': 'usage: /stats?hidden=(include|only|exclude)\n\n',
      'histogram_buckets=foo':
        'usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n',
      'filter=%5B': 'Invalid re2 regex: missing ]: [',
      'type=foo': 'invalid &type= param',
      'histogram_buckets=prometheusnative': 'Invalid histogram_buckets type for non prometheus stats type',
      'format=prometheus&histogram_buckets=detailed': 'unsupported prometheus histogram bucket mode',
    };
    for (const [query, body] of Object.entries(expected)) {
      const reply = await ask(`/stats?${query}`);
      assert.deepEqual([reply.status, reply.body], [400, body], query);
    }
  });

  test('stats_matcher and histogram_bucket_settings of the bootstrap', async (t) => {
    const config = create('envoy.config.metrics.v3.StatsConfig', {
      stats_matcher: { exclusion_list: { patterns: [{ prefix: 'server.' }, { suffix: '_503' }] } },
      histogram_bucket_settings: [{ match: { suffix: '_ms' }, buckets: [10, 1] }],
    });
    const ask = await serveAdmin(
      t,
      recordedStats({ statsSettings: compileStatsConfig(config, 'stats_config') }),
    );
    assert.doesNotMatch((await ask('/stats')).body, /server\.|_503/);
    const { body } = await ask('/stats?type=Histograms&filter=h1&histogram_buckets=cumulative');
    assert.equal(body, 'cluster.h1.upstream_cx_length_ms: B1(0,19) B10(0,23)\n');
  });
});

describe('/stats/prometheus', () => {
  test('groups by metric, tags as labels', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const { headers, body } = await ask('/stats/prometheus?filter=rq_|live');
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(
      body,
      [
        '# TYPE envoy_cluster_upstream_rq counter',
        'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="h1"} 21',
        'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="h1"} 0',
        '# TYPE envoy_cluster_upstream_rq_total counter',
        'envoy_cluster_upstream_rq_total{envoy_cluster_name="h1"} 21',
        'envoy_cluster_upstream_rq_total{envoy_cluster_name="h2"} 0',
        '# TYPE envoy_server_live gauge',
        'envoy_server_live{} 1',
        '',
      ].join('\n'),
    );
    assert.equal((await ask('/stats?format=prometheus&filter=rq_|live')).body, body);
  });

  test('histograms with buckets, or with the quantiles of the interval', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    const { body } = await ask('/stats/prometheus?filter=h1.*length');
    assert.match(
      body,
      /^# TYPE envoy_cluster_upstream_cx_length_ms histogram\nenvoy_cluster_upstream_cx_length_ms_bucket\{envoy_cluster_name="h1",le="0\.5"\} 17\n/,
    );
    assert.match(
      body,
      /le="\+Inf"\} 24\nenvoy_cluster_upstream_cx_length_ms_sum\{envoy_cluster_name="h1"\} 58\.78605417752595485580968670547\nenvoy_cluster_upstream_cx_length_ms_count\{envoy_cluster_name="h1"\} 24\n$/,
    );
    const summary = await ask('/stats/prometheus?filter=h1.*length&histogram_buckets=summary');
    assert.match(summary.body, /^# TYPE envoy_cluster_upstream_cx_length_ms summary\n/);
    assert.match(
      summary.body,
      /\nenvoy_cluster_upstream_cx_length_ms\{envoy_cluster_name="h1",quantile="0\.995"\} nan\n/,
    );
    assert.match(summary.body, /_count\{envoy_cluster_name="h1"\} 0\n$/);
  });

  test('text readouts only when asked for', async (t) => {
    const ask = await serveAdmin(t, recordedStats());
    assert.equal((await ask('/stats/prometheus?filter=version')).body, '');
    assert.equal(
      (await ask('/stats/prometheus?filter=version&text_readouts')).body,
      '# TYPE envoy_cluster_version_text gauge\nenvoy_cluster_version_text{envoy_cluster_name="h1",text_value="v\\"1\\""} 0\n',
    );
  });

  test("Istio's metrics keep their own names", async (t) => {
    const context = fakeAdminContext();
    const tags = [
      { name: 'reporter', value: 'source' },
      { name: 'destination_app', value: 'reviews' },
    ];
    context.store.counter('istiocustom.istio_requests_total', tags).add(2);
    context.store.flush();
    const ask = await serveAdmin(t, context);
    assert.equal(
      (await ask('/stats/prometheus')).body,
      '# TYPE istio_requests_total counter\nistio_requests_total{reporter="source",destination_app="reviews"} 2\n',
    );
  });
});
