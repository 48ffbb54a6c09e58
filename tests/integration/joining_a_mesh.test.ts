// `--istiod` with a token: the proxy as its users start it, against an istiod that has a CA and ADS on one TLS port.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { CertificateAuthority } from '../fakes/certificate_authority.ts';
import { FakeIstiod } from '../fakes/fake_istiod.ts';
import { ANY_ADMIN_PORT, eventually, ProxyProcess } from './proxy_process.ts';

const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/web';
const NO_OPENSSL = spawnSync('openssl', ['version']).status !== 0 && 'needs openssl';

interface Certificates {
  readonly certificates: readonly {
    readonly ca_cert: readonly { readonly serial_number: string }[];
    readonly cert_chain: readonly {
      readonly serial_number: string;
      readonly subject_alt_names: readonly object[];
    }[];
  }[];
}

async function start(t: TestContext) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'joining-'));
  const authority = new CertificateAuthority();
  const istiod = await FakeIstiod.start(authority);
  istiod.tokens.set('a-token', IDENTITY);
  const token = path.join(directory, 'token');
  const root = path.join(directory, 'root-cert.pem');
  writeFileSync(token, 'a-token');
  writeFileSync(root, authority.rootPem);
  t.after(() => {
    istiod.close();
    authority.close();
    rmSync(directory, { recursive: true });
  });
  const flags = [
    ...['--istiod', istiod.address, '--token-file', token, '--root-ca', root],
    ...['--namespace', 'shop', '--service-account', 'web', '--label', 'app=web', '--concurrency', '1'],
    ...['--config-yaml', JSON.stringify(ANY_ADMIN_PORT)],
  ];
  return { istiod, flags, files: { token, root } };
}

describe('joining a mesh', { skip: NO_OPENSSL, timeout: 60_000 }, () => {
  test('configuration comes by the certificate, which /certs shows and /config_dump hides', async (t) => {
    const { istiod, flags } = await start(t);
    istiod.plane.hold('listener', 'inbound', listener());
    const proxy = await ProxyProcess.start(...flags);
    t.after(() => proxy.stop());
    const { streams, requests } = istiod.plane.server;
    const { certificates } = JSON.parse((await proxy.admin('/certs')).body) as Certificates;
    const leaf = certificates.find(({ cert_chain: chain }) => chain.length > 0)!.cert_chain[0]!;
    assert.deepEqual(leaf.subject_alt_names, [{ uri: IDENTITY }]);
    assert.equal(streams[0]!.peerSerialNumber, leaf.serial_number.toUpperCase());
    const { node } = requests[0]!.request;
    assert.equal(node?.metadata?.fields['SERVICE_ACCOUNT']?.string_value, 'web');
    assert.equal(node?.metadata?.fields['NAMESPACE']?.string_value, 'shop');
    assert.match((await proxy.admin('/stats?filter=mesh_identity')).body, /certificate_issued: 1/);
    assert.match((await proxy.admin('/listeners')).body, /^inbound::/m);
    assert.match(
      proxy.stderr,
      /certificate [0-9a-f]+ of spiffe:\/\/cluster.local\/ns\/shop\/sa\/web is in use/,
    );
    const { body: dump } = await proxy.admin('/config_dump');
    assert.doesNotMatch(dump, /BEGIN (EC )?PRIVATE KEY/);
  });

  test('a stream keeps its connection when the certificate is renewed, and the next one has the new', async (t) => {
    const { istiod, flags } = await start(t);
    istiod.signing = { to: 4 };
    const proxy = await ProxyProcess.start(...flags);
    t.after(() => proxy.stop());
    const { server } = istiod.plane;
    const first = server.streams[0]!;
    const serial = first.peerSerialNumber;
    await eventually(async () => istiod.calls.length > 1, 'the certificate is renewed');
    istiod.signing = {};
    await eventually(
      async () => /issued: 2/.test((await proxy.admin('/stats?filter=mesh_identity')).body),
      'the new certificate is in use',
    );
    assert.equal(server.streams.length, 1);
    assert.equal(first.ended, false);
    first.end();
    await eventually(async () => server.streams.length > 1, 'the stream comes back');
    assert.notEqual(server.streams[1]!.peerSerialNumber, serial);
    assert.equal((await proxy.admin('/ready')).body, 'LIVE\n');
  });

  test('nothing is asked of istiod without a certificate, and the admin port says what is missing', async (t) => {
    const { istiod, flags, files } = await start(t);
    istiod.tokens.clear();
    const proxy = new ProxyProcess(flags);
    t.after(() => proxy.stop());
    await eventually(async () => /UNAUTHENTICATED/.test(proxy.stderr), 'the refusal is in the log');
    assert.ok(proxy.stderr.includes(`--token-file ${files.token}: `), proxy.stderr);
    assert.match((await proxy.admin('/ready')).body, /PRE_INITIALIZING/);
    assert.match((await proxy.admin('/init_dump')).body, /Cluster xds-grpc/);
    assert.equal(istiod.plane.server.streams.length, 0);
    istiod.tokens.set('a-token', IDENTITY);
    await eventually(async () => (await proxy.admin('/ready')).status === 200, 'it is ready after all');
  });

  test('files that are not there end the start, with flag and file', async (t) => {
    const { flags, files } = await start(t);
    rmSync(files.root);
    const proxy = new ProxyProcess(flags);
    assert.equal((await proxy.exited).code, 1);
    assert.ok(proxy.stderr.includes(`--root-ca ${files.root}: ENOENT`), proxy.stderr);
  });
});

/** TLS by the workload's certificate, as istiod has it. */
function listener(): object {
  const source = {
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'sds-grpc' } }],
    },
    initial_fetch_timeout: '0s',
    resource_api_version: 'V3',
  };
  return {
    name: 'inbound',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [
      {
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
            require_client_certificate: true,
            common_tls_context: {
              tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: source }],
              validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: source },
            },
          },
        },
        filters: [
          {
            name: 'envoy.filters.network.echo',
            typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo' },
          },
        ],
      },
    ],
  };
}
