// /api/certificates and /api/workers of a real proxy with TLS on both sides and two workers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import type { Schema } from '../../server/main/admin/api/endpoint.ts';
import { schemaErrors } from '../fakes/json_schema.ts';
import { ANY_ADMIN_PORT, eventually, ProxyProcess } from './proxy_process.ts';

const CERTS = new URL('../fixtures/certs/', import.meta.url);
const pem = (name: string): string => readFileSync(new URL(name, CERTS), 'utf8');
const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const CONNECTIONS = 8;

const BOOTSTRAP = {
  ...ANY_ADMIN_PORT,
  static_resources: {
    secrets: [{ name: 'roots', validation_context: { trusted_ca: { inline_string: pem('ca.pem') } } }],
    listeners: [
      {
        name: 'echo',
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ filters: [echo()] }],
      },
      {
        name: 'secure',
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ filters: [echo()], transport_socket: downstreamTls('server') }],
      },
      {
        name: 'expired',
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ filters: [echo()], transport_socket: downstreamTls('expired') }],
      },
    ],
    clusters: ['a', 'b'].map((name) => ({
      name,
      type: 'STATIC',
      transport_socket: {
        name: 'tls',
        typed_config: {
          '@type': `${TLS}.UpstreamTlsContext`,
          common_tls_context: { validation_context_sds_secret_config: { name: 'roots' } },
        },
      },
    })),
  },
};

function echo(): object {
  return {
    name: 'echo',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo' },
  };
}

function downstreamTls(name: string): object {
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TLS}.DownstreamTlsContext`,
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { inline_string: pem(`${name}.pem`) },
            private_key: { inline_string: pem(`${name}.key`) },
          },
        ],
      },
    },
  };
}

let proxy: ProxyProcess;
let schemas: Readonly<Record<string, Schema>>;

before(async () => {
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(BOOTSTRAP), '--concurrency', '2');
  schemas = JSON.parse((await proxy.admin('/api/openapi.json')).body).components.schemas;
});

after(() => proxy.stop());

async function items(path: string, schema: string) {
  const { status, body } = await proxy.admin(path);
  assert.equal(status, 200, body);
  const found = JSON.parse(body).items;
  for (const item of found) assert.deepEqual(schemaErrors(schemas[schema] as Schema, item, schemas), []);
  return found;
}

test('certificates in use: what expires first is at the top, and each says who uses it', async () => {
  const found = await items('/api/certificates', 'CertificateUse');
  assert.ok(found[0].expires_at < Date.now());
  assert.deepEqual(found[0].used_by, [{ kind: 'listener', name: 'expired' }]);
  const roots = found.filter(({ role }: { role: string }) => role === 'trusted_root');
  assert.equal(roots.length, 1);
  assert.equal(roots[0].secret, 'roots');
  assert.deepEqual(roots[0].used_by, [
    { kind: 'cluster', name: 'a' },
    { kind: 'cluster', name: 'b' },
  ]);
  const server = found.find(
    ({ used_by: [user] }: { used_by: { name: string }[] }) => user?.name === 'secure',
  );
  assert.deepEqual([server.role, server.secret, server.path], ['certificate', '', '<inline>']);
  assert.ok(server.subject_alt_names.length > 0 && server.name === server.subject_alt_names[0]);
});

test('certificates can be searched by name', async () => {
  assert.deepEqual(await items('/api/certificates?search=nobody-is-called-that', 'CertificateUse'), []);
});

test('workers with their connections and how they do', async () => {
  const port = await proxy.port('echo');
  const sockets = Array.from({ length: CONNECTIONS }, () => net.connect(port, '127.0.0.1'));
  try {
    await eventually(async () => {
      const workers = await items('/api/workers', 'Worker');
      return (
        workers.reduce((sum: number, { connections }: { connections: number }) => sum + connections, 0) ===
        CONNECTIONS
      );
    }, 'all connections are counted');
    const workers = await items('/api/workers', 'Worker');
    assert.deepEqual(
      workers.map(({ name }: { name: string }) => name),
      ['worker_0', 'worker_1'],
    );
    for (const worker of workers) {
      assert.ok(worker.response_ms >= 0 && worker.response_ms < 2000);
      assert.ok(worker.utilization >= 0 && worker.utilization <= 1);
      assert.ok(worker.heap_used_bytes > 1_000_000 && worker.heap_used_bytes < worker.heap_limit_bytes);
    }
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
