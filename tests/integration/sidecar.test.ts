// A client and a server talk through two sidecars that run what istiod sent them, each pair in a network namespace whose
// iptables redirect all its connections, as in a pod. The sidecars join the mesh by themselves: their certificates are of an
// istiod's CA, by their tokens.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { CertificateAuthority } from '../fakes/certificate_authority.ts';
import type { Kind } from './control_plane.ts';
import { inMode, withIdentity } from './mesh_tls_modes.ts';
import { Application } from './namespace_application.ts';
import type { Seen, TlsPeer } from './namespace_child.ts';
import { cannotIsolate, NetworkNamespace, PROXY_GID } from './network_namespace.ts';
import { eventually } from './proxy_process.ts';
import { Pod } from './sidecar_pod.ts';

const CLIENT_IP = '10.77.0.1';
const SERVER_IP = '10.77.0.2';
/** Nobody has it: it stands for any service's virtual IP. */
const SOME_IP = '10.96.99.99';
/** Of the recorded listener for mongodb's port 6380, plain TCP. */
const TCP_SERVICE = { ip: '10.96.0.14', port: 6380 };
/** Outside the mesh: the server's sidecar does not see it. */
const OUTSIDE_PORT = 7000;
const ISTIO = 'spiffe://cluster.local/ns/default/sa';
const REVIEWS_CLUSTERS = ['', 'v1', 'v2', 'v3'].map(
  (subset) => `outbound|9080|${subset}|reviews.default.svc.cluster.local`,
);
const VIRTUAL_INBOUND = 'virtualInbound';
/** As bytes, for a client that speaks TLS itself. */
const REQUEST = 'GET /tls HTTP/1.1\r\nhost: reviews:9080\r\n\r\n';
const NO_OPENSSL = spawnSync('openssl', ['version']).status === 0 ? undefined : 'needs openssl';

/** All endpoints are the server; `details` has no sidecar as far as the client knows, so it is plaintext. */
function change(kind: Kind, name: string, resource: object): object {
  // The server stands for mongodb too, and has one name only.
  if (kind === 'cluster') return withIdentity(resource, `"${ISTIO}/default"`, `"${ISTIO}/bookinfo-reviews"`);
  if (kind !== 'endpoints') return resource;
  const port = Number(/\|(\d+)\|/.exec(name)![1]);
  const mtls = { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } };
  const endpoint = {
    endpoint: { address: { socketAddress: { address: SERVER_IP, portValue: port } } },
    ...(name.includes('details') ? {} : { metadata: mtls }),
  };
  return { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] };
}

const impossible = cannotIsolate() ?? NO_OPENSSL;

describe('two sidecars', { skip: impossible, timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-sidecar-'));
  let authority: CertificateAuthority;
  let client: Pod;
  let server: Pod;

  before(async () => {
    authority = new CertificateAuthority();
    const common = { directory, change, excludedInbound: OUTSIDE_PORT };
    client = new Pod({
      ...common,
      name: 'client',
      serviceAccount: 'bookinfo-productpage',
      recording: 'streams/vanilla-productpage-v1-sotw',
    });
    server = new Pod({
      ...common,
      name: 'server',
      serviceAccount: 'bookinfo-reviews',
      recording: 'vanilla-reviews-v1-delta',
    });
    NetworkNamespace.join(client.namespace, CLIENT_IP, server.namespace, SERVER_IP);
    await Promise.all([client.start(authority), server.start(authority)]);
    await server.application.ask('serveHttp', 9080);
    await server.application.ask('serveHttp', 8000);
    await server.application.ask('serveHttp2', 9081);
    await server.application.ask('serveTcp', TCP_SERVICE.port);
    await server.application.ask('serveTcp', OUTSIDE_PORT);
  });

  after(async () => {
    await Promise.allSettled([client?.stop(), server?.stop()]);
    authority?.close();
    rmSync(directory, { recursive: true });
  });

  async function get(host: string, url = `http://${SOME_IP}:9080/reviews/0`): Promise<Seen> {
    const answer = await client.application.ask('get', url, host);
    assert.equal(answer.status, 200, `${answer.body}\n${client.log}\n${server.log}`);
    return JSON.parse(answer.body) as Seen;
  }

  test('HTTP with mutual TLS', async () => {
    const seen = await get('reviews:9080');
    assert.equal(seen.url, '/reviews/0');
    assert.equal(seen.from, '127.0.0.6');
    const xfcc = seen.headers['x-forwarded-client-cert'] ?? '';
    assert.match(xfcc, /By=spiffe:\/\/cluster.local\/ns\/default\/sa\/bookinfo-reviews/);
    assert.match(xfcc, /URI=spiffe:\/\/cluster.local\/ns\/default\/sa\/bookinfo-productpage/);
  });

  test('HTTP/2 with mutual TLS, all the way', async () => {
    const url = `http://${SOME_IP}:9081`;
    const answer = await client.application.ask('getHttp2', url, 'reviews:9081', '/h2');
    assert.equal(answer.status, 200, `${answer.body}\n${client.log}\n${server.log}`);
    assert.equal(answer.trailer, 'yes');
    const { url: path, headers } = JSON.parse(answer.body) as Seen;
    assert.deepEqual([path, headers[':authority']], ['/h2', 'reviews:9081']);
    assert.match(headers['x-forwarded-client-cert']!, /URI=spiffe:.*bookinfo-productpage/);
  });

  test('HTTP in plaintext', async () => {
    const seen = await get('details:9080');
    assert.equal(seen.headers['x-forwarded-client-cert'], undefined);
    assert.equal(seen.from, '127.0.0.6');
  });

  test('HTTP to a host that nobody knows goes where it was going', async () => {
    const seen = await get('unknown:9080', `http://${SERVER_IP}:9080/x`);
    assert.equal(seen.url, '/x');
  });

  test('HTTP to a port that nobody knows', async () => {
    const seen = await get('unknown:8000', `http://${SERVER_IP}:8000/y`);
    assert.equal(seen.url, '/y');
    assert.equal(seen.from, '127.0.0.6');
  });

  test('a TCP server that speaks first, with mutual TLS', async () => {
    const { ip, port } = TCP_SERVICE;
    const heard = await client.application.ask('talk', ip, port, 'ping\n');
    assert.deepEqual(heard, { greeting: 'hello\n', reply: 'PING\n' });
  });

  test('a TCP server outside the mesh that speaks first', async () => {
    const heard = await client.application.ask('talk', SERVER_IP, OUTSIDE_PORT, 'ping\n');
    assert.deepEqual(heard, { greeting: 'hello\n', reply: 'PING\n' });
  });

  test('each knows the workload at the other end', async () => {
    const { ip, port } = TCP_SERVICE;
    await get('reviews:9080');
    await client.application.ask('talk', ip, port, 'ping\n');
    // HTTP says it in headers, TCP in a message of its own, behind the ALPN istio-peer-exchange.
    const found = await server.stats('^metadata_exchange\\.');
    assert.ok(found.get('metadata_exchange.alpn_protocol_found')! > 0, inspect(found));
    const added = await client.stats('^metadata_exchange\\.');
    assert.ok(added.get('metadata_exchange.metadata_added')! > 0, inspect(added));
    const names = [...(await server.stats('istio_')).keys()];
    const ends =
      'reporter.destination.source_workload.client.source_canonical_service.client.*' +
      `source_principal.${ISTIO}/bookinfo-productpage.*destination_principal.${ISTIO}/bookinfo-reviews.*mutual_tls$`;
    for (const stat of ['istio_requests_total', 'istio_tcp_connections_opened_total']) {
      assert.ok(
        names.some((name) => new RegExp(`${stat}.${ends}`).test(name)),
        `${stat} in\n${names.join('\n')}`,
      );
    }
  });

  test('both sidecars say what they did', async () => {
    await eventually(
      async () =>
        /"GET \/reviews\/0 HTTP\/1.1" 200 - via_upstream/.test(client.log) &&
        /"GET \/reviews\/0 HTTP\/1.1" 200 - via_upstream/.test(server.log),
      `access log lines in\n${client.log}\n${server.log}`,
      2000,
    );
  });

  describe('from outside the mesh', () => {
    /** In the client's namespace, past its sidecar. */
    let outsider: Application;
    let own: Pick<TlsPeer, 'key' | 'certificate'>;

    before(async () => {
      outsider = await Application.start(client.namespace, PROXY_GID);
      own = await authority.issue(`URI:${ISTIO}/outsider`);
    });
    after(() => outsider.stop());

    const plain = (port = 9080) => outsider.ask('get', `http://${SERVER_IP}:${port}/plain`, 'reviews:9080');
    const talkTls = (alpn: readonly string[], more: Partial<TlsPeer> = {}) =>
      outsider.ask('talkTls', { ip: SERVER_IP, port: 9080, alpn, ...own, ...more }, REQUEST);
    const setMode = async (mode?: 'STRICT' | 'DISABLE'): Promise<void> => {
      const { plane } = server.istiod;
      const held = plane.held('listener', VIRTUAL_INBOUND);
      permissive ??= held;
      const listener = mode === undefined ? permissive : inMode(permissive, mode);
      assert.equal(await plane.set('listener', { [VIRTUAL_INBOUND]: listener }), undefined);
    };
    let permissive: object | undefined;

    for (const alpn of ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1']) {
      test(`HTTP by the ALPN ${alpn}`, async () => {
        const { reply } = await talkTls([alpn]);
        assert.match(reply, /^HTTP\/1.1 200 OK\r\n/);
        assert.ok(reply.includes(`By=${ISTIO}/bookinfo-reviews`), reply);
        assert.ok(reply.includes(`URI=${ISTIO}/outsider`), reply);
      });
    }

    test('HTTP/2 by the ALPN istio-h2', async () => {
      const peer = { ip: SERVER_IP, port: 9080, alpn: ['istio-h2'], ...own };
      const { status, body } = await outsider.ask('getHttp2', peer, 'reviews:9080', '/h2');
      assert.equal(status, 200);
      const { url, headers } = JSON.parse(body) as Seen;
      assert.equal(url, '/h2');
      assert.match(headers['x-forwarded-client-cert']!, /URI=spiffe:.*outsider/);
    });

    test('the ALPN says what an unknown port speaks', async () => {
      const http = await talkTls(['istio-http/1.1'], { port: 8000 });
      assert.match(http.reply, /x-forwarded-client-cert/);
      const tcp = await talkTls(['istio'], { port: 8000 });
      assert.match(tcp.reply, /^HTTP\/1.1 200 OK\r\n/);
      assert.doesNotMatch(tcp.reply, /x-forwarded-client-cert/);
    });

    test('PERMISSIVE takes both', async () => {
      assert.equal((await plain()).status, 200);
      assert.match((await talkTls(['istio-http/1.1'])).reply, /^HTTP\/1.1 200/);
    });

    test('STRICT takes mutual TLS only', async () => {
      await setMode('STRICT');
      await eventually(
        () =>
          plain().then(
            () => false,
            () => true,
          ),
        'plaintext is refused',
      );
      await assert.rejects(plain(8000));
      assert.match((await talkTls(['istio-http/1.1'])).reply, /^HTTP\/1.1 200/);
      assert.equal((await get('reviews:9080')).url, '/reviews/0');
      await setMode();
    });

    test('DISABLE takes plaintext only', async () => {
      await setMode('DISABLE');
      await eventually(
        () =>
          talkTls(['istio-http/1.1']).then(
            () => false,
            () => true,
          ),
        'TLS is refused',
      );
      assert.equal((await plain()).status, 200);
      await setMode();
      await eventually(
        () =>
          talkTls(['istio-http/1.1']).then(
            () => true,
            () => false,
          ),
        'TLS is taken again',
      );
    });

    test('a client of another trust domain, of another CA, or without a certificate is refused', async (t) => {
      const stranger = new CertificateAuthority('elsewhere');
      t.after(() => stranger.close());
      const refusals = async () => {
        const stats = await server.stats('^listener.0.0.0.0_15006.ssl.fail_verify');
        return [...stats].map(([name, value]) => `${name.split('.').at(-1)}: ${value}`);
      };
      const before = await refusals();
      assert.deepEqual(before, [
        'fail_verify_cert_hash: 0',
        'fail_verify_error: 0',
        'fail_verify_no_cert: 0',
        'fail_verify_san: 0',
      ]);
      await assert.rejects(
        talkTls(['istio'], await authority.issue('URI:spiffe://elsewhere/ns/default/sa/outsider')),
      );
      await assert.rejects(talkTls(['istio'], await stranger.issue(`URI:${ISTIO}/outsider`)));
      await assert.rejects(talkTls(['istio'], { key: '', certificate: '' }));
      assert.deepEqual(await refusals(), [
        'fail_verify_cert_hash: 0',
        'fail_verify_error: 1',
        'fail_verify_no_cert: 1',
        'fail_verify_san: 1',
      ]);
    });
  });

  test('a server that is not who it should be gets no request', async () => {
    const { plane } = client.istiod;
    const right = Object.fromEntries(REVIEWS_CLUSTERS.map((name) => [name, plane.held('cluster', name)]));
    const wrong = withIdentity(right, `${ISTIO}/bookinfo-reviews`, `${ISTIO}/somebody-else`);
    assert.equal(await plane.set('cluster', wrong as Record<string, object>), undefined);
    const ask = () => client.application.ask('get', `http://${SOME_IP}:9080/refused`, 'reviews:9080');
    await eventually(async () => (await ask()).status === 503, 'the request fails');
    const reason =
      /"GET \/refused HTTP\/1.1" 503 .*CERTIFICATE_VERIFY_FAILED:.*SAN_matcher,_certificate_SANs_are_\[(\S+)\]/;
    await eventually(async () => reason.test(client.log), 'the access log says why');
    assert.equal(reason.exec(client.log)![1], `${ISTIO}/bookinfo-reviews`);
    const stats = await client.stats('reviews.*fail_verify_san');
    assert.ok(
      [...stats.values()].some((value) => value > 0),
      inspect(stats),
    );
    assert.equal(await plane.set('cluster', right), undefined);
    await eventually(async () => (await ask()).status === 200, 'the request is served again');
  });

  test('a pod that goes asks its clients to go, and serves them until they have', async (t) => {
    const outsider = await Application.start(client.namespace, PROXY_GID);
    t.after(() => outsider.stop());
    const peer = {
      ...{ ip: SERVER_IP, port: 9080, alpn: ['istio-http/1.1'] },
      ...(await authority.issue(`URI:${ISTIO}/outsider`)),
    };
    const headersOf = async () => (await outsider.ask('talkTls', peer, REQUEST)).reply.split('\r\n\r\n')[0]!;
    assert.doesNotMatch(await headersOf(), /connection: close/);
    // As Istio's agent says it.
    const drain = 'http://127.0.0.1:15000/drain_listeners?inboundonly&graceful&skip_exit';
    assert.equal((await server.application.ask('get', drain, 'localhost', 'POST')).body, 'OK\n');
    await eventually(
      async () => /connection: close/.test(await headersOf()),
      'the answers close connections',
    );
    for (let i = 0; i < 3; i++) assert.equal((await get('reviews:9080')).url, '/reviews/0');
    assert.equal(
      (await server.application.ask('get', 'http://127.0.0.1:15000/ready', 'localhost')).status,
      200,
    );
  });
});
