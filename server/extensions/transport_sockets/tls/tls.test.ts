import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { FakeStatStore, fakeFactoryContext } from '../../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../../xds-protos/json.ts';
import type { UpstreamTransportSocketOptions } from '../../../api/network/transport_socket.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import type { Secret } from '../../../api/secret.ts';
import type { SslConnectionInfo } from '../../../api/stream_info.ts';
import type { HostDescription } from '../../../api/upstream/host.ts';
import { ipAddress } from '../../../common/network/address.ts';
import { compileSecret } from '../../../common/secret/secret_config.ts';
import { ConnectionInfoRecord } from '../../../common/stream_info/stream_info.ts';
import { downstreamTlsFactory, upstreamTlsFactory } from './config.ts';

const CERTS = new URL('../../../../tests/fixtures/certs/', import.meta.url);
const pem = (name: string) => readFileSync(new URL(name, CERTS), 'utf8');
const certificate = (name: string) => ({
  certificate_chain: { inline_string: pem(`${name}.pem`) },
  private_key: { inline_string: pem(`${name}.key`) },
});
const ca = (name = 'ca') => ({ trusted_ca: { inline_string: pem(`${name}.pem`) } });
const uri = (matcher: object) => [{ san_type: 'URI', matcher }];

const open = new Set<{ destroy?(): void; close?(): void }>();
after(() => {
  for (const one of open) (one.destroy ?? one.close)!.call(one);
});

interface Outcome {
  readonly error: string | undefined;
  readonly ssl: SslConnectionInfo | undefined;
}

function compileDownstream(config: object, overrides: Partial<FactoryContext> = {}) {
  const message = fromJson('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', config);
  const stats = new FakeStatStore();
  const listener = { name: 'l', statName: '0.0.0.0_1' } as FactoryContext['listener'];
  const factory = downstreamTlsFactory.compile(
    message as never,
    fakeFactoryContext({ stats, listener, ...overrides }),
    'tls',
  );
  return { factory, value: (name: string) => stats.value(`listener.0.0.0.0_1.${name}`) };
}

/**
 * A server that wraps what it accepts and echoes; `outcome` resolves for each accepted socket in turn. Without `peek` it wraps
 * before the ClientHello has come.
 */
async function serve(config: object, overrides: Partial<FactoryContext> = {}, peek = true) {
  const { factory, value } = compileDownstream(config, overrides);
  const outcomes: Outcome[] = [];
  const server: Server = createServer((socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    const wrap = () => {
      const info = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
      const wrapped = factory.wrap(socket, info, (error, ssl) => {
        outcomes.push({ error, ssl });
        server.emit('outcome');
        if (error === undefined) wrapped.on('data', (data: Buffer) => wrapped.write(data));
      });
    };
    if (!peek) return wrap();
    socket.once('readable', () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      socket.unshift(bytes);
      wrap();
    });
  });
  open.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const outcome = async (): Promise<Outcome> => {
    if (outcomes.length === 0) await once(server, 'outcome');
    return outcomes.shift()!;
  };
  return { port, outcome, value };
}

/** A plain node client. Resolves with the socket once the server has echoed, or with the error's code. */
function nodeClient(port: number, options: ConnectionOptions = {}): Promise<TLSSocket | string> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    open.add(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
    socket.on('data', () => resolve(socket));
    socket.on('secureConnect', () => socket.write('hello'));
  });
}

function upstream(config: object, overrides: Partial<FactoryContext> = {}) {
  const stats = new FakeStatStore();
  const message = fromJson('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', config);
  const factory = upstreamTlsFactory.compile(
    message as never,
    fakeFactoryContext({ stats, ...overrides }),
    'tls',
  );
  const host = { clusterName: 'outbound|80', hostname: 'second.example.com' } as HostDescription;
  const defaults = {
    host,
    alpnOverride: undefined,
    sniOverride: undefined,
    sanOverride: undefined,
    hashKey: '',
  };
  const connect = (port: number, options: Partial<UpstreamTransportSocketOptions> = {}) =>
    new Promise<Outcome & { socket: Socket }>((resolve) => {
      const raw = netConnect(port, '127.0.0.1').on('error', () => {});
      const socket = factory.wrap(raw, { ...defaults, ...options }, (error, ssl) => {
        if (error !== undefined) return resolve({ error, ssl, socket });
        socket.once('data', () => resolve({ error, ssl, socket }));
        socket.write('hello');
      });
      open.add(socket);
    });
  return { factory, connect, value: (name: string) => stats.value(`cluster.outbound|80.ssl.${name}`) };
}

const mutual = {
  require_client_certificate: true,
  common_tls_context: {
    alpn_protocols: ['h2', 'http/1.1'],
    tls_certificates: [certificate('server')],
    validation_context: {
      ...ca(),
      match_typed_subject_alt_names: uri({ prefix: 'spiffe://cluster.local/' }),
    },
  },
};
const client = (name: string) => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });

describe('downstream', () => {
  test('a mutual handshake and what is known of it', async () => {
    const { port, outcome, value } = await serve(mutual);
    const socket = await nodeClient(port, {
      ...client('client'),
      servername: 'server.example.com',
      ALPNProtocols: ['http/1.1', 'h2'],
    });
    assert.equal(typeof socket, 'object');
    const { error, ssl } = await outcome();
    assert.equal(error, undefined);
    assert.equal(ssl!.peerCertificatePresented, true);
    assert.equal(ssl!.peerCertificateValidated, true);
    assert.deepEqual(ssl!.uriSanPeer, ['spiffe://cluster.local/ns/default/sa/client']);
    assert.deepEqual(ssl!.dnsSanPeer, ['client.example.com']);
    assert.deepEqual(ssl!.uriSanLocal, ['spiffe://cluster.local/ns/default/sa/server']);
    assert.equal(ssl!.subjectPeer, 'CN=client,O=Pilotfish,C=CH');
    assert.equal(ssl!.issuerPeer, 'CN=Test Root,O=Pilotfish');
    assert.equal(ssl!.subjectLocal, 'CN=server,O=Pilotfish');
    assert.match(ssl!.serialNumberPeer, /^[0-9a-f]+$/);
    assert.match(ssl!.sha256PeerCertificateDigest, /^[0-9a-f]{64}$/);
    assert.equal(ssl!.peerCertificatePem.trim(), pem('client.pem').trim());
    assert.ok(ssl!.validFromPeerMs < Date.now() && ssl!.expirationPeerMs > Date.now());
    assert.equal(ssl!.tlsVersion, 'TLSv1.3');
    assert.equal(ssl!.sni, 'server.example.com');
    assert.equal(ssl!.alpn, 'h2');
    assert.equal(value('ssl.handshake'), 1);
    assert.equal(value('ssl.no_certificate'), 0);
    assert.equal(value('ssl.versions.TLSv1.3'), 1);
    assert.equal(value(`ssl.ciphers.${ssl!.cipher}`), 1);
  });

  test('clients that may not come in, with the words of Envoy', async () => {
    const { port, outcome, value } = await serve(mutual);
    await nodeClient(port);
    assert.equal(
      (await outcome()).error,
      'TLS_error:|268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:peer did not provide required client certificate:TLS_error_end',
    );
    await nodeClient(port, client('stranger'));
    assert.equal(
      (await outcome()).error,
      'TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: X509_verify_cert: certificate verification error at depth 0: unable to get local issuer certificate:TLS_error_end',
    );
    await nodeClient(port, client('expired'));
    assert.match((await outcome()).error!, /at depth 0: certificate has expired:TLS_error_end$/);
    const plain = netConnect(port, '127.0.0.1').on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    assert.equal(
      (await outcome()).error,
      'TLS_error:|268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end',
    );
    plain.destroy();
    const gone = netConnect(port, '127.0.0.1').on('error', () => {});
    gone.end('\x16\x03\x01');
    assert.equal((await outcome()).error, 'connection closed during TLS handshake');
    assert.equal(value('ssl.fail_verify_no_cert'), 1);
    assert.equal(value('ssl.fail_verify_error'), 2);
    assert.equal(value('ssl.connection_error'), 1);
    assert.equal(value('ssl.handshake'), 0);
  });

  test('names that do not fit', async () => {
    const { port, outcome, value } = await serve({
      common_tls_context: {
        tls_certificates: [certificate('server')],
        validation_context: { ...ca(), match_typed_subject_alt_names: uri({ exact: 'spiffe://x' }) },
      },
    });
    await nodeClient(port, client('client'));
    assert.match(
      (await outcome()).error!,
      /SAN matcher, certificate SANs are \[spiffe:\/\/cluster\.local\/ns\/default\/sa\/client, client\.example\.com, client@example\.com\]:TLS_error_end$/,
    );
    assert.equal(value('ssl.fail_verify_san'), 1);
    // A name to check makes a certificate necessary.
    await nodeClient(port);
    assert.match((await outcome()).error!, /PEER_DID_NOT_RETURN_A_CERTIFICATE/);
  });

  test('optional, untrusted and expired certificates', async () => {
    const common = { tls_certificates: [certificate('server')] };
    const optional = await serve({ common_tls_context: { ...common, validation_context: ca() } });
    await nodeClient(optional.port);
    assert.equal((await optional.outcome()).ssl!.peerCertificatePresented, false);
    assert.equal(optional.value('ssl.no_certificate'), 1);

    const accepting = { ...ca(), trust_chain_verification: 'ACCEPT_UNTRUSTED' };
    const untrusted = await serve({ common_tls_context: { ...common, validation_context: accepting } });
    await nodeClient(untrusted.port, client('stranger'));
    const { ssl } = await untrusted.outcome();
    assert.equal(ssl!.peerCertificatePresented, true);
    assert.equal(ssl!.peerCertificateValidated, false);
    assert.equal(untrusted.value('ssl.fail_verify_error'), 1);

    const lenient = { ...ca(), allow_expired_certificate: true };
    const expired = await serve({ common_tls_context: { ...common, validation_context: lenient } });
    await nodeClient(expired.port, client('expired'));
    assert.equal((await expired.outcome()).ssl!.peerCertificateValidated, true);
    // OpenSSL says "expired" of this one too; it must not hide that nobody knows its issuer.
    await nodeClient(expired.port, client('expired_stranger'));
    assert.match((await expired.outcome()).error!, /CERTIFICATE_VERIFY_FAILED/);
  });

  test('the certificate follows the SNI', async () => {
    const certificates = [certificate('server'), certificate('second'), certificate('server_rsa')];
    for (const peek of [true, false]) {
      const { port, outcome } = await serve(
        { common_tls_context: { tls_certificates: certificates } },
        {},
        peek,
      );
      const subject = async (servername: string, options: ConnectionOptions = {}) => {
        const socket = await nodeClient(port, { servername, ...options });
        assert.equal(typeof socket, 'object', String(socket));
        const { ssl } = await outcome();
        assert.equal(ssl!.sni, servername);
        const seen = (socket as TLSSocket).getPeerX509Certificate()!.subject.split('CN=')[1];
        assert.match(ssl!.subjectLocal, new RegExp(`^CN=${seen},`));
        return seen;
      };
      assert.equal(await subject('second.example.com'), 'second');
      assert.equal(await subject('a.wild.example.com'), 'server');
      assert.equal(await subject('other.example.com'), 'server');
      const onlyRsa = { sigalgs: 'rsa_pss_rsae_sha256' };
      assert.equal(await subject('server.example.com', onlyRsa), 'server rsa');
    }
  });

  test('ALPN without anything in common goes on without', async () => {
    const { port, outcome } = await serve(mutual);
    await nodeClient(port, { ...client('client'), ALPNProtocols: ['other'] });
    const { error, ssl } = await outcome();
    assert.equal(error, undefined);
    assert.equal(ssl!.alpn, '');
  });

  test('versions and cipher suites', async () => {
    const { port, outcome } = await serve({
      common_tls_context: {
        tls_certificates: [certificate('server_rsa')],
        tls_params: {
          tls_maximum_protocol_version: 'TLSv1_2',
          cipher_suites: ['[AES256-GCM-SHA384|AES128-GCM-SHA256]', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
        },
      },
    });
    await nodeClient(port);
    const { ssl } = await outcome();
    assert.equal(ssl!.tlsVersion, 'TLSv1.2');
    assert.equal(ssl!.cipher, 'AES256-GCM-SHA384');
    assert.equal(await nodeClient(port, { minVersion: 'TLSv1.3' }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    assert.match((await outcome()).error!, /SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL/);
  });

  test('sessions are resumed, unless told otherwise', async () => {
    for (const disabled of [false, true]) {
      const { port, outcome, value } = await serve({
        ...mutual,
        disable_stateless_session_resumption: disabled,
      });
      const first = (await nodeClient(port, { ...client('client'), maxVersion: 'TLSv1.2' })) as TLSSocket;
      await outcome();
      const again = await nodeClient(port, {
        ...client('client'),
        maxVersion: 'TLSv1.2',
        session: first.getSession()!,
      });
      assert.equal((await outcome()).error, undefined);
      assert.equal((again as TLSSocket).isSessionReused(), !disabled);
      assert.equal(value('ssl.session_reused'), disabled ? 0 : 1);
    }
  });

  test('secrets that come, go on and change while connections stay', async () => {
    const provider: { name: string; current: Secret | undefined } = { name: 'default', current: undefined };
    const roots: typeof provider = { name: 'ROOTCA', current: undefined };
    const { port, outcome, value } = await serve(
      {
        require_client_certificate: true,
        common_tls_context: {
          tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: { ads: {} } }],
          combined_validation_context: {
            default_validation_context: { match_subject_alt_names: [{ prefix: 'spiffe://cluster.local/' }] },
            validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: { ads: {} } },
          },
        },
      },
      { secret: (_sds, kind) => (kind === 'tls_certificate' ? provider : roots) },
    );
    const secret = (body: object) =>
      compileSecret(fromJson('envoy.extensions.transport_sockets.tls.v3.Secret', body), '');
    await nodeClient(port, client('client'));
    assert.match((await outcome()).error!, /Secret is not supplied by SDS/);
    assert.equal(value('server_ssl_socket_factory.downstream_context_secrets_not_ready'), 1);

    provider.current = secret({ name: 'default', tls_certificate: certificate('server') });
    roots.current = secret({ name: 'ROOTCA', validation_context: ca() });
    const first = (await nodeClient(port, client('client'))) as TLSSocket;
    assert.equal((await outcome()).error, undefined);
    assert.match(first.getPeerX509Certificate()!.subject, /CN=server$/);

    provider.current = secret({ name: 'default', tls_certificate: certificate('second') });
    const second = (await nodeClient(port, client('client'))) as TLSSocket;
    assert.equal((await outcome()).error, undefined);
    assert.match(second.getPeerX509Certificate()!.subject, /CN=second$/);
    first.write('still there');
    await once(first, 'data');

    roots.current = secret({ name: 'ROOTCA', validation_context: ca('other_ca') });
    await nodeClient(port, client('client'));
    assert.match((await outcome()).error!, /unable to get local issuer certificate/);
    await nodeClient(port, client('stranger'));
    assert.equal((await outcome()).error, undefined);
  });
});

describe('upstream', () => {
  const mine = { tls_certificates: [certificate('client')] };
  const verified = {
    ...mine,
    validation_context: { ...ca(), match_typed_subject_alt_names: uri({ prefix: 'spiffe://' }) },
  };

  test('a mutual handshake, resumed the second time', async () => {
    for (const version of ['TLSv1_2', 'TLSv1_3']) {
      const { port, outcome } = await serve(mutual);
      const params = { tls_params: { tls_maximum_protocol_version: version } };
      const { connect, value } = upstream({
        sni: 'server.example.com',
        common_tls_context: { ...verified, ...params },
      });
      for (let i = 0; i < 3; i++) {
        const { error, ssl, socket } = await connect(port, { alpnOverride: ['http/1.1'] });
        assert.equal(error, undefined);
        assert.deepEqual(ssl!.uriSanPeer, ['spiffe://cluster.local/ns/default/sa/server']);
        assert.equal(ssl!.peerCertificateValidated, true);
        assert.equal(ssl!.alpn, 'http/1.1');
        const seen = await outcome();
        assert.equal(seen.ssl!.sni, 'server.example.com');
        assert.deepEqual(seen.ssl!.uriSanPeer, ['spiffe://cluster.local/ns/default/sa/client']);
        socket.destroy();
      }
      assert.equal(value('handshake'), 3);
      // TLS 1.3 tickets are for one use, and this server sends none on a resumed connection.
      assert.equal(value('session_reused'), version === 'TLSv1_2' ? 2 : 1);
      assert.equal(value(`versions.${version.replace('_', '.')}`), 3);
      assert.ok(value('curves.X25519') > 0);
    }
  });

  test('servers that are not who they should be', async () => {
    const { port } = await serve(mutual);
    const refused = async (validation: object, options: Partial<UpstreamTransportSocketOptions> = {}) => {
      const one = upstream({
        sni: 'server.example.com',
        common_tls_context: { ...mine, validation_context: validation },
      });
      const { error } = await one.connect(port, options);
      return `${error} ${['fail_verify_error', 'fail_verify_san', 'fail_verify_cert_hash'].filter((stat) => one.value(stat) > 0)}`;
    };
    assert.match(
      await refused(ca('other_ca')),
      /CERTIFICATE_VERIFY_FAILED:verify cert failed: X509_verify_cert: .*:TLS_error_end fail_verify_error$/,
    );
    assert.match(
      await refused({ ...ca(), match_typed_subject_alt_names: uri({ exact: 'spiffe://foo' }) }),
      /SANs are \[server\.example\.com, \*\.wild\.example\.com, spiffe:.*, 127\.0\.0\.1\]:TLS_error_end fail_verify_san$/,
    );
    assert.match(
      await refused({ ...ca(), verify_certificate_hash: ['00'.repeat(32)] }),
      /verify cert failed: cert hash and spki:TLS_error_end fail_verify_cert_hash$/,
    );
    assert.match(
      await refused(ca(), { sanOverride: ['other.example.com'] }),
      /verify SAN list:TLS_error_end fail_verify_san$/,
    );
    assert.match(await refused(ca(), { sanOverride: ['b.wild.example.com'] }), /^undefined $/);
  });

  test('whose name is asked for', async () => {
    const { port, outcome } = await serve({
      common_tls_context: { tls_certificates: [certificate('second')] },
    });
    const sniOf = async (config: object, options: Partial<UpstreamTransportSocketOptions> = {}) => {
      const { error } = await upstream(config).connect(port, options);
      assert.equal(error, undefined);
      return (await outcome()).ssl!.sni;
    };
    assert.equal(await sniOf({}), '');
    assert.equal(await sniOf({ sni: 'a.example.com' }), 'a.example.com');
    assert.equal(await sniOf({ sni: '127.0.0.1' }), '');
    assert.equal(await sniOf({ sni: 'a.example.com' }, { sniOverride: 'b.example.com' }), 'b.example.com');
    const auto = {
      auto_host_sni: true,
      auto_sni_san_validation: true,
      common_tls_context: { validation_context: ca() },
    };
    assert.equal(await sniOf(auto), 'second.example.com');
    const { error } = await upstream(auto).connect(port, { sniOverride: 'b.example.com' });
    assert.match(error!, /verify SAN list/);
  });

  test('a server that does not speak TLS', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('220 hello\r\n')).listen(
      0,
      '127.0.0.1',
    );
    open.add(server);
    await once(server, 'listening');
    const { connect, value } = upstream({});
    const { error } = await connect((server.address() as AddressInfo).port);
    assert.equal(
      error,
      'TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end',
    );
    assert.equal(value('connection_error'), 1);
  });
});

test('material that OpenSSL cannot use is refused by main, and costs a worker one connection', async () => {
  const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
  const provider = {
    name: 'broken',
    current: {
      kind: 'tls_certificate',
      certificateChainPem: pem('server.pem'),
      privateKeyPem: key,
    } as Secret,
  };
  const sds = [{ name: 'broken', sds_config: { ads: {} } }];
  const config = { common_tls_context: { tls_certificate_sds_secret_configs: sds } };
  const secret = () => provider;
  assert.throws(
    () => compileDownstream(config, { thread: 'main', secret }),
    /Failed to load TLS certificates or keys/,
  );
  assert.throws(
    () => upstream(config, { thread: 'main', secret }),
    /Failed to load TLS certificates or keys/,
  );
  const { port, outcome, value } = await serve(config, { secret });
  await nodeClient(port);
  assert.match((await outcome()).error!, /^TLS error: /);
  assert.equal(value('ssl.connection_error'), 1);
  assert.match((await upstream(config, { secret }).connect(port)).error!, /^TLS error: /);
});

test('configurations that cannot be honoured', () => {
  const certificates = { tls_certificates: [certificate('server')] };
  const downstream = (config: object, reason: RegExp) =>
    assert.throws(() => compileDownstream(config), reason);
  const common = (more: object, reason: RegExp) =>
    downstream({ common_tls_context: { ...certificates, ...more } }, reason);
  const validation = (config: object, reason: RegExp) => common({ validation_context: config }, reason);
  downstream({ common_tls_context: {} }, /No TLS certificates found for server context/);
  downstream({ require_sni: true, common_tls_context: certificates }, /tls\.require_sni/);
  common({ alpn_protocols: ['a'.repeat(256)] }, /Invalid ALPN protocol string/);
  common(
    { tls_params: { cipher_suites: ['foo', 'AES128-SHA'] } },
    /Failed to initialize cipher suites foo:AES128-SHA\. .*: foo$/,
  );
  common(
    { tls_params: { cipher_suites: ['TLS_AES_128_GCM_SHA256'] } },
    /rejected when tried individually: TLS_AES/,
  );
  common({ tls_params: { ecdh_curves: ['foo'] } }, /Failed to initialize ECDH curves foo/);
  common(
    { tls_params: { signature_algorithms: ['foo'] } },
    /Failed to initialize TLS signature algorithms foo/,
  );
  common({ key_log: { path: '/x' } }, /common_tls_context\.key_log/);
  validation(
    { match_typed_subject_alt_names: uri({ exact: 'a' }) },
    /SAN-based verification of peer certificates without trusted CA/,
  );
  validation(
    { allow_expired_certificate: true },
    /Certificate validity period is always ignored without trusted CA/,
  );
  validation({ ...ca(), verify_certificate_hash: ['zz'.repeat(32)] }, /Invalid hex-encoded SHA-256/);
  validation({ ...ca(), verify_certificate_spki: ['z'.repeat(44)] }, /Invalid base64-encoded SHA-256/);
  validation({ ...ca(), max_verify_depth: 1 }, /validation_context\.max_verify_depth/);
  validation({ trusted_ca: { inline_string: 'x' } }, /Failed to load trusted CA certificates from <inline>/);
  validation(
    { ...ca(), match_typed_subject_alt_names: [{ san_type: 'OTHER_NAME', matcher: { exact: 'a' } }] },
    /Failed to create SAN matcher for OTHER_NAME/,
  );
  const two = { tls_certificates: [certificate('server'), certificate('second')] };
  assert.throws(
    () => upstream({ common_tls_context: two }),
    /Multiple TLS certificates are not supported for client contexts/,
  );
  assert.throws(
    () => upstream({ auto_sni_san_validation: true }),
    /was configured without a validation context/,
  );
});
