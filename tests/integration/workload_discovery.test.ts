// Peers that tell nothing about themselves are found among the mesh's workloads by their addresses: a real control plane
// sends them, changes them, takes them away and is gone for a while, and Istio's metrics say who spoke to whom.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ControlPlane, staticCluster } from './control_plane.ts';
import { ANY_ADMIN_PORT, ask, eventually, ProxyProcess } from './proxy_process.ts';
import { namedBackend, portOf } from './resources.ts';

const CLIENT = '127.0.0.2';
const BACKEND = '127.0.0.1';
const TYPE = 'type.googleapis.com/envoy.extensions.filters';

/** A workload as istiod sends it. `ip` is an IPv4 address. */
function workload(ip: string, name: string, more: object = {}): object {
  return {
    uid: `Kubernetes//Pod/books/${name}-0`,
    name: `${name}-0`,
    namespace: 'books',
    addresses: [Buffer.from(ip.split('.').map(Number)).toString('base64')],
    service_account: `${name}-account`,
    canonical_name: name,
    canonical_revision: 'v1',
    workload_type: 'DEPLOYMENT',
    workload_name: `${name}-v1`,
    cluster_id: 'Kubernetes',
    node: 'not for peers',
    services: { 'books/a.books.svc': { ports: [{ service_port: 80, target_port: 8080 }] } },
    ...more,
  };
}

function extension(configSource: object): object {
  const typed_config = {
    '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct',
    type_url: 'type.googleapis.com/istio.workload.BootstrapExtension',
    value: { config_source: configSource },
  };
  return { name: 'metadata_discovery', typed_config };
}

function listener(name: string, direction: string, discovery: object): object {
  const filters = [
    ['peer', { '@type': 'type.googleapis.com/io.istio.http.peer_metadata.Config', ...discovery }],
    ['istio.stats', { '@type': 'type.googleapis.com/stats.PluginConfig' }],
    ['router', { '@type': `${TYPE}.http.router.v3.Router` }],
  ].map(([filter, typed_config]) => ({ name: filter, typed_config }));
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'backend' } }];
  const manager = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: filters,
  };
  return {
    name,
    traffic_direction: direction,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
}

describe('workload discovery', { timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-workloads-'));
  let plane: ControlPlane;
  let backend: http.Server;
  let proxy: ProxyProcess;

  before(async () => {
    backend = await namedBackend('backend');
    plane = await ControlPlane.start();
    plane.hold('cluster', 'backend', staticCluster('backend', portOf(backend)));
    const inbound = { downstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }] };
    const outbound = { upstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }] };
    plane.hold('listener', 'inbound', listener('inbound', 'INBOUND', inbound));
    plane.hold('listener', 'outbound', listener('outbound', 'OUTBOUND', outbound));
    plane.hold('workload', 'client', workload(CLIENT, 'client'));
    const extensions = [extension({ ads: {} })];
    const file = path.join(directory, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(plane.bootstrap({ bootstrap_extensions: extensions })));
    proxy = await ProxyProcess.start('-c', file, '--concurrency', '2', '-l', 'error');
    await total(1);
  });
  after(async () => {
    await proxy?.stop();
    plane?.close();
    backend?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const stat = async (name: string): Promise<string> => {
    const { body } = await proxy.admin(`/stats?filter=^workload_discovery\\.${name}$`);
    return body.trim().split(': ')[1] ?? '';
  };
  const total = (count: number): Promise<void> =>
    eventually(async () => (await stat('total')) === String(count), `${count} addresses are known`);

  const request = async (name: string): Promise<void> => {
    const url = `http://127.0.0.1:${await proxy.port(name)}/`;
    assert.equal((await ask(url, { localAddress: CLIENT })).status, 200);
  };
  /** How many requests were counted with these labels. */
  const counted = async (...labels: string[]): Promise<number> => {
    const { body } = await proxy.admin('/stats/prometheus?filter=istio_requests_total');
    const lines = body.split('\n').filter((line) => line.startsWith('istio_requests_total{'));
    const counts = lines.filter((line) => labels.every((label) => line.includes(label)));
    return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const attributed = (name: string, ...labels: string[]): Promise<void> =>
    eventually(async () => {
      await request(name);
      return (await counted(...labels)) > 0;
    }, `a request is counted with ${labels.join()}`);

  test('the client of an inbound request is found by its address', async () => {
    await attributed(
      'inbound',
      'reporter="destination"',
      'source_workload="client-v1"',
      'source_workload_namespace="books"',
      'source_canonical_service="client"',
      'source_canonical_revision="v1"',
      'source_app="client"',
      'source_version="v1"',
      'source_cluster="Kubernetes"',
    );
    assert.equal(await counted('reporter="destination"', 'source_workload="unknown"'), 0);
  });

  test('the host of an outbound request is found once its workload comes', async () => {
    await attributed('outbound', 'reporter="source"', 'destination_workload="unknown"');
    assert.equal(await plane.set('workload', { backend: workload(BACKEND, 'backend') }), undefined);
    await total(2);
    await attributed(
      'outbound',
      'reporter="source"',
      'destination_workload="backend-v1"',
      'destination_workload_namespace="books"',
      'destination_canonical_service="backend"',
      'destination_principal="spiffe://cluster.local/ns/books/sa/backend-account"',
    );
  });

  test('a changed workload counts from then on', async () => {
    const changed = workload(CLIENT, 'client', { workload_name: 'client-v2', canonical_revision: 'v2' });
    assert.equal(await plane.set('workload', { client: changed }), undefined);
    await attributed('inbound', 'source_workload="client-v2"', 'source_canonical_revision="v2"');
  });

  test('a bad workload is refused by its name; the others and its last version stay', async () => {
    const bad = workload(CLIENT, 'client', { addresses: [Buffer.from('abc').toString('base64')] });
    const more = workload('10.0.0.9', 'more');
    assert.match(
      (await plane.set('workload', { client: bad, more })) ?? '',
      /workload\(s\) client: addresses\[0\]: an IP address has 4 or 16 bytes/,
    );
    await total(3);
    const before = await counted('source_workload="client-v2"');
    await request('inbound');
    assert.equal(await counted('source_workload="client-v2"'), before + 1);
    assert.equal(await stat('update_rejected'), '1');
    await plane.set('workload', { client: workload(CLIENT, 'client', { workload_name: 'client-v2' }) });
  });

  test('a lost control plane takes nothing away, and what changed meanwhile comes with it', async () => {
    plane.server.crash();
    await eventually(async () => Number(await stat('update_failure')) > 0, 'the stream is lost');
    const before = await counted('source_workload="client-v2"');
    await request('inbound');
    assert.equal(await counted('source_workload="client-v2"'), before + 1);
    plane.hold('workload', 'client', workload(CLIENT, 'client', { workload_name: 'client-v3' }));
    await plane.server.restart();
    await attributed('inbound', 'source_workload="client-v3"');
    await total(3);
  });

  test('a removed workload is nobody', async () => {
    assert.equal(await plane.remove('workload', 'client'), undefined);
    await total(2);
    await attributed('inbound', 'reporter="destination"', 'source_workload="unknown"');
  });

  test("workloads are in no dump, as in Istio's proxy", async () => {
    assert.ok(!(await proxy.admin('/config_dump')).body.includes('backend-account'));
    assert.ok(!(await proxy.admin('/init_dump')).body.includes('orkload'));
  });
});

test('workloads of a file, which are told apart by their uid', { timeout: 30_000 }, async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-workloads-'));
  const write = (file: string, ...uids: string[]): string => {
    const resources = uids.map((uid, index) => ({
      '@type': 'type.googleapis.com/istio.workload.Workload',
      ...workload(`10.0.0.${index}`, 'same', { uid }),
    }));
    writeFileSync(path.join(directory, file), JSON.stringify({ version_info: file, resources }));
    return path.join(directory, file);
  };
  const workloads = write('workloads.json', 'a', 'b', 'c');
  const bootstrap = path.join(directory, 'bootstrap.json');
  const bootstrap_extensions = [extension({ path_config_source: { path: workloads } })];
  writeFileSync(bootstrap, JSON.stringify({ ...ANY_ADMIN_PORT, bootstrap_extensions }));
  const proxy = await ProxyProcess.start('-c', bootstrap, '--concurrency', '1', '-l', 'error');
  const total = (count: number): Promise<void> =>
    eventually(async () => {
      const { body } = await proxy.admin('/stats?filter=^workload_discovery\\.total$');
      return body === `workload_discovery.total: ${count}\n`;
    }, `${count} addresses are known`);
  try {
    await total(3);
    renameSync(write('next.json', 'b'), workloads);
    await total(1);
  } finally {
    await proxy.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
