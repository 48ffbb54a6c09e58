import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromJson, toJson } from './json.ts';
import { decode, encode, hasType } from './load.ts';
import { validate } from './validate.ts';

const names = { preserveProtoFieldNames: true };

describe('overlay', () => {
  test("Istio's messages are known", () => {
    for (const name of [
      'stats.PluginConfig',
      'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig',
      'istio.networking.nds.v1.NameTable',
      'istio.v1.auth.IstioCertificateRequest',
      'envoy.tcp.metadataexchange.config.MetadataExchange',
      'io.istio.http.peer_metadata.Config',
      'istio.workload.Workload',
      'istio.workload.BootstrapExtension',
    ]) {
      assert.ok(hasType(name), name);
    }
  });

  test('adds fields to existing messages, by the numbers that istiod sends', () => {
    const cluster = decode('envoy.config.cluster.v3.Cluster', Buffer.from('d203051080c2d72f', 'hex'));
    assert.equal(cluster.dns_jitter?.nanos, 100_000_000);
    for (const [type, json] of [
      [
        'envoy.config.trace.v3.ZipkinConfig',
        { collector_service: { http_uri: { uri: 'http://z', cluster: 'z', timeout: '5s' } } },
      ],
      ['envoy.extensions.wasm.v3.PluginConfig', { failure_policy: 'FAIL_OPEN' }],
      [
        'envoy.admin.v3.CommandLineOptions',
        { skip_deprecated_logs: true, log_stacktrace_single_entry: true },
      ],
    ] as const) {
      assert.deepEqual(toJson(type, decode(type, encode(type, fromJson(type, json))), names), json);
    }
  });

  test('adds members to existing oneofs', () => {
    const rule = fromJson('envoy.config.rbac.v3.Permission', {
      sourced_metadata: { metadata_source: 'ROUTE' },
    });
    assert.throws(
      () => fromJson('envoy.config.rbac.v3.Permission', { any: true, sourced_metadata: {} }),
      /oneof/,
    );
    assert.equal(rule.sourced_metadata?.metadata_source, 'ROUTE');
  });

  test('relaxes rules that newer Envoys relaxed', () => {
    const zipkin = fromJson('envoy.config.trace.v3.ZipkinConfig', { collector_service: {} });
    assert.deepEqual(
      validate('envoy.config.trace.v3.ZipkinConfig', zipkin).filter(
        ({ path }) => path === 'collector_cluster',
      ),
      [],
    );
  });
});
