// Configuration from files that are watched (CDS, EDS, LDS, RDS, SDS), one listener of it refused: what the admin ports of Envoy
// and Pilotfish show of it, and the stats of its subscriptions.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SETTLE_MS = 600;
const TYPE = 'type.googleapis.com/envoy.extensions.';
const CERTIFICATES = path.join(import.meta.dirname, '../fixtures/certs');

const loopback = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });

describe('dynamic resources on the admin port', { skip: SKIP }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'admin-dynamic-'));
  const processes: EnvoyProcess[] = [];

  before(async () => {
    writeResources(directory);
    const bootstrap = {
      node: { id: 'node-2', cluster: 'test-cluster' },
      stats_flush_interval: '0.2s',
      dynamic_resources: { lds_config: source(directory, 'lds'), cds_config: source(directory, 'cds') },
    };
    for (const command of [[ENVOY_BIN!], PILOTFISH])
      processes.push(await EnvoyProcess.start(bootstrap, command));
    await sleep(SETTLE_MS);
  });
  after(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    rmSync(directory, { recursive: true });
  });

  const resources = ['dynamic_listeners', 'dynamic_active_clusters', 'dynamic_warming_clusters', 'dynamic_route_configs', 'dynamic_active_secrets', 'dynamic_warming_secrets', 'static_clusters']; // biome-ignore format: a list
  for (const target of [
    ...resources.map((resource) => `/config_dump?resource=${resource}`),
    '/config_dump?include_eds&resource=dynamic_endpoint_configs',
    '/config_dump?resource=dynamic_listeners&mask=active_state.version_info,name',
    '/config_dump?resource=dynamic_active_clusters&mask=cluster.name,version_info',
    '/config_dump?mask=version_info',
    '/config_dump?name_regex=eds.*&resource=dynamic_active_clusters',
    '/config_dump?name_regex=none&resource=dynamic_active_clusters',
    '/config_dump?name_regex=.*_cert&resource=dynamic_active_secrets',
    '/clusters',
    '/clusters?format=json',
    '/certs',
    '/init_dump',
  ]) {
    test(target, async () => {
      const [theirs, ours] = await Promise.all(
        processes.map(async ({ admin }) => {
          const reply = await fetch(admin + target);
          return { status: reply.status, body: normalised(withoutNameless(await reply.text())) };
        }),
      );
      assert.deepEqual(ours, theirs);
    });
  }

  test('stats of subscriptions and managers', async () => {
    const compared = (stats: Map<string, string>): string[] =>
      [...stats]
        .filter(([name]) => /^(cluster|cluster_manager|listener_manager|http\.dyn|sds)\./.test(name))
        .map(([name, value]) => `${name}: ${/_time(_ms)?$|duration|version$/.test(name) ? '…' : value}`)
        .sort();
    const [theirs, ours] = await Promise.all(processes.map(async (each) => compared(await statsOf(each))));
    assert.ok(theirs!.length > 200, `${theirs!.length} stats`);
    assert.deepEqual(ours, theirs);
  });
});

function source(directory: string, name: string): object {
  return { resource_api_version: 'V3', path_config_source: { path: path.join(directory, `${name}.json`) } };
}

function writeResources(directory: string): void {
  const write = (name: string, type: string, ...resources: readonly object[]): void => {
    const typed = resources.map((one) => ({ '@type': `type.googleapis.com/${type}`, ...one }));
    const content = { version_info: `${name}-1`, resources: typed };
    writeFileSync(path.join(directory, `${name}.json`), JSON.stringify(content));
  };
  const eds_cluster_config = { service_name: 'service', eds_config: source(directory, 'eds') };
  write('cds', 'envoy.config.cluster.v3.Cluster', { name: 'eds_cluster', type: 'EDS', connect_timeout: '1s', eds_cluster_config }); // biome-ignore format: short
  const lb_endpoints = [
    { endpoint: { address: loopback(18001) }, health_status: 'HEALTHY', load_balancing_weight: 2 },
    { endpoint: { address: loopback(18002) }, health_status: 'DRAINING' },
    {
      endpoint: { address: loopback(18003) },
      metadata: { filter_metadata: { 'envoy.lb': { canary: true } } },
    },
  ];
  const endpoints = [{ locality: { region: 'r', zone: 'z' }, lb_endpoints }];
  write('eds', 'envoy.config.endpoint.v3.ClusterLoadAssignment', { cluster_name: 'service', endpoints });
  const virtual_hosts = [
    { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'eds_cluster' } }] },
  ];
  write('rds', 'envoy.config.route.v3.RouteConfiguration', { name: 'dyn_route', virtual_hosts });
  const file = (name: string): object => ({ filename: path.join(CERTIFICATES, name) });
  const tls_certificate = { certificate_chain: file('server.pem'), private_key: file('server.key') };
  write('sds', `${TYPE.slice(20)}transport_sockets.tls.v3.Secret`, { name: 'server_cert', tls_certificate });
  const listener = dynamicListener(directory);
  write('lds', 'envoy.config.listener.v3.Listener', listener, { name: 'bad_listener', address: loopback(0) });
}

function dynamicListener(directory: string): object {
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` },
  };
  const manager = {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'dyn',
    rds: { route_config_name: 'dyn_route', config_source: source(directory, 'rds') },
    http_filters: [router],
  };
  const sds = [{ name: 'server_cert', sds_config: source(directory, 'sds') }];
  return {
    name: 'dyn_https',
    address: loopback(0),
    filter_chains: [
      {
        filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`,
            common_tls_context: { tls_certificate_sds_secret_configs: sds },
          },
        },
      },
    ],
  };
}

/** Envoy tells of a refused listener twice, the second time without its name. */
function withoutNameless(body: string): string {
  if (!body.startsWith('{\n "configs"')) return body;
  const { configs } = JSON.parse(body) as {
    configs: readonly { readonly '@type': string; readonly name?: string }[];
  };
  const kept = configs.filter(
    (each) => each.name !== undefined || !each['@type'].endsWith('DynamicListener'),
  );
  return JSON.stringify({ configs: kept }, null, 1);
}

/** Lines in whatever order, without times and without the words of an error, which are each program's own. */
function normalised(body: string): string[] {
  return body
    .replaceAll(/"(last_updated|last_update_attempt|valid_from|expiration_time)": "[^"]*"/g, '"$1": "…"')
    .replaceAll(/"details": ".*"/g, '"details": "…"')
    .split('\n')
    .map((line) => line.trimEnd().replace(/,$/, ''))
    .sort();
}
