// Loading and checking the bootstrap: merge, the node, fields that are not honoured, and Istio's own where they are.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { toJson } from '../../../xds-protos/json.ts';
import { ConfigError } from '../../api/config_error.ts';
import { loadBootstrap } from './bootstrap.ts';
import { type Options, parseCommandLine } from './command_line.ts';
import { istiodBootstrap } from './istiod_bootstrap.ts';
import { checkOverloadManager } from './settings.ts';

function options(...args: string[]): Options {
  const result = parseCommandLine(args);
  assert.ok(result.type === 'run');
  return result.options;
}

const load = (yaml: string, ...args: string[]) => loadBootstrap(options('--config-yaml', yaml, ...args));

describe('loading', () => {
  test('--config-yaml merges over --config-path', async (t) => {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const folder = mkdtempSync('/tmp/pilotfish-');
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'a.yaml');
    writeFileSync(file, 'node: {id: file, cluster: c}\nstatic_resources: {clusters: [{name: a}]}');
    const { bootstrap } = load('{node: {id: flag}, static_resources: {clusters: [{name: b}]}}', '-c', file);
    assert.equal(bootstrap.node?.id, 'flag');
    assert.equal(bootstrap.node?.cluster, 'c');
    assert.deepEqual(
      bootstrap.static_resources?.clusters.map(({ name }) => name),
      ['a', 'b'],
    );
  });

  test('flags replace the node', () => {
    const yaml = '{node: {id: a, cluster: b, locality: {region: r, zone: z}}}';
    const flags = ['--service-node', 'n', '--service-cluster', 'c', '--service-zone', 'y'];
    const { node } = load(yaml, ...flags).bootstrap;
    assert.deepEqual(
      [node?.id, node?.cluster, node?.locality?.region, node?.locality?.zone],
      ['n', 'c', 'r', 'y'],
    );
  });

  test('unknown fields are errors, or are listed', () => {
    const yaml = '{static_resources: {clusters: [{name: a, nope: 1}]}}';
    assert.throws(() => load(yaml), {
      path: 'static_resources.clusters[0]',
      message: /no such field: 'nope'/,
    });
    const { unknownFields } = load(yaml, '--allow-unknown-static-fields');
    assert.deepEqual(unknownFields, ['static_resources.clusters[0].nope']);
  });

  test('what Envoy refuses', () => {
    const cases: [() => unknown, RegExp][] = [
      [() => loadBootstrap(options()), /At least one of --config-path or --config-yaml/],
      [() => loadBootstrap(options('-c', '/nonexistent.yaml')), /^Invalid path: \/nonexistent.yaml$/],
      [() => load('{a: ['), /yaml error at line 1/],
      [
        () => load('{static_resources: {clusters: [{name: ""}]}}'),
        /value length must be at least 1 characters/,
      ],
      [() => load('{dynamic_resources: {cds_config: {ads: {}}}}'), /node 'id' and 'cluster' are required/],
    ];
    for (const [call, message] of cases) assert.throws(call, { name: 'ConfigError', message });
  });

  test('a field that is not honoured is named, one without effect is reported', () => {
    assert.throws(
      () => load('{use_tcp_for_dns_lookups: true}'),
      new ConfigError('use_tcp_for_dns_lookups', 'this field is not supported'),
    );
    assert.throws(() => load('{admin: {socket_options: [{level: 1, name: 2, int_value: 3}]}}'), {
      path: 'admin.socket_options',
    });
    const { inertFields } = load('{admin: {access_log_path: /x}}');
    assert.deepEqual(
      inertFields.map((field) => field.path),
      ['admin.access_log_path'],
    );
  });
});

test('the overload manager may only say that there is no limit', () => {
  const type =
    'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig';
  const check = (monitor: string): void =>
    checkOverloadManager(load(`{overload_manager: {resource_monitors: [${monitor}]}}`).bootstrap);
  const limited = (limit: number): string =>
    `{name: m, typed_config: {"@type": ${type}, max_active_downstream_connections: ${limit}}}`;
  check(limited(2147483647));
  assert.throws(
    () => check(limited(7)),
    /max_active_downstream_connections: a limit below 2147483647 is not supported/,
  );
  assert.throws(
    () => check('{name: nope}'),
    /Didn't find a registered implementation for 'nope' with type URL: ''/,
  );
});

test('the bootstrap for istiod asks as its agent does', () => {
  const bootstrap = istiodBootstrap(
    {
      address: 'istiod.istio-system:15010',
      role: 'sidecar',
      nodeId: '',
      namespace: 'ns',
      clusterId: 'Kubernetes',
      labels: { app: 'web' },
      identity: undefined,
    },
    { ip: '10.1.2.3', name: 'web-1' },
  );
  assert.equal(bootstrap.node?.id, 'sidecar~10.1.2.3~web-1.ns~ns.svc.cluster.local');
  assert.equal(bootstrap.node.cluster, 'web.ns');
  const metadata = toJson('google.protobuf.Struct', bootstrap.node.metadata!) as Record<string, unknown>;
  assert.deepEqual(metadata['LABELS'], {
    app: 'web',
    'service.istio.io/canonical-name': 'web',
    'service.istio.io/canonical-revision': 'latest',
  });
  assert.equal(metadata['NAMESPACE'], 'ns');
  assert.equal(bootstrap.dynamic_resources?.ads_config?.api_type, 'DELTA_GRPC');
  assert.equal(bootstrap.dynamic_resources.ads_config.set_node_on_first_message_only, true);
  assert.equal(bootstrap.dynamic_resources.cds_config?.initial_fetch_timeout?.seconds, 0n);
  assert.equal(bootstrap.static_resources?.clusters[0]?.type, 'STRICT_DNS');
});

test("Istio's own bootstraps load", (t) => {
  const folder = process.env['PILOTFISH_ISTIO_BOOTSTRAPS'];
  if (folder === undefined) {
    t.skip('set PILOTFISH_ISTIO_BOOTSTRAPS to a folder of bootstraps that the agent wrote');
    return;
  }
  for (const file of readdirSync(folder)) {
    // Of the tracers there is Zipkin.
    if (file.startsWith('tracing') && !file.startsWith('tracing_zipkin')) continue;
    const { bootstrap } = loadBootstrap(options('-c', path.join(folder, file)));
    assert.ok(bootstrap.static_resources!.clusters.length > 0, file);
  }
});
