import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { create } from '../../../xds-protos/load.ts';
import { TagProducer } from './tag_producer.ts';

const RECORDED = new URL('../../../tests/fixtures/admin/stat_tags.txt', import.meta.url);

function labels(producer: TagProducer, name: string): string {
  const { name: rest, tags } = producer.produce(name);
  const sanitize = (text: string): string => text.replace(/\W/g, '_');
  return `envoy_${sanitize(rest)}{${tags.map((tag) => `${sanitize(tag.name)}="${tag.value}"`).join(',')}}`;
}

describe('TagProducer', () => {
  test('finds the tags Envoy finds', () => {
    const producer = new TagProducer(undefined, '');
    const pairs = readFileSync(RECORDED, 'utf8').trimEnd().split('\n');
    assert.ok(pairs.length > 80);
    for (const pair of pairs) {
      const end = pair.indexOf(' envoy_');
      assert.equal(labels(producer, pair.slice(0, end)), pair.slice(end + 1));
    }
  });

  test("takes the bootstrap's tags: fixed ones, regexes as Istio's, Envoy's by name", () => {
    const config = create('envoy.config.metrics.v3.StatsConfig', {
      use_all_default_tags: { value: false },
      stats_tags: [
        { tag_name: 'cluster_name', regex: '^cluster\\.((.+?(\\..+?\\.svc\\.cluster\\.local)?)\\.)' },
        { tag_name: 'mesh', fixed_value: 'm1' },
        { tag_name: 'envoy.response_code' },
      ],
    });
    const producer = new TagProducer(config, 'stats_config');
    assert.equal(
      labels(producer, 'cluster.outbound|80||a.b.svc.cluster.local.upstream_rq_503'),
      'envoy_cluster_upstream_rq{envoy_response_code="503",mesh="m1",cluster_name="outbound|80||a.b.svc.cluster.local"}',
    );
    assert.equal(labels(producer, 'http.x.rq_total'), 'envoy_http_x_rq_total{mesh="m1"}');
  });

  test('regexes are those of std::regex', () => {
    const config = create('envoy.config.metrics.v3.StatsConfig', {
      use_all_default_tags: { value: false },
      stats_tags: [
        {
          tag_name: 'lookahead',
          regex: '^listener(?=\\.).*?\\.http\\.((([_.[:digit:]]*|[_\\[\\]aA[:digit:]]*))\\.)',
        },
      ],
    });
    const producer = new TagProducer(config, '');
    assert.equal(labels(producer, 'listener.1.http._[1]_.rq'), 'envoy_listener_1_http_rq{lookahead="_[1]_"}');
  });

  test('refuses tags it cannot find', () => {
    const config = (tag: object) => create('envoy.config.metrics.v3.StatsConfig', { stats_tags: [tag] });
    assert.throws(() => new TagProducer(config({ tag_name: 'mine' }), 'stats_config'), {
      path: 'stats_config.stats_tags[0]',
      reason: "No regex specified for tag specifier and no default regex for name: 'mine'",
    });
    // Each is refused by Envoy, too, and JavaScript would take some of them.
    for (const regex of [
      '(',
      '[[:digit:]',
      '(?i)a',
      '(?<n>a)',
      'a++',
      '\\Qa\\E',
      '[[:foo:]]',
      '\\pL',
      '\\',
    ]) {
      assert.throws(() => new TagProducer(config({ tag_name: 'mine', regex }), 'stats_config'), {
        path: 'stats_config.stats_tags[0].regex',
      });
    }
  });
});
