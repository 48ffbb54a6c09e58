import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as netConnect } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import {
  ca,
  certificate,
  client,
  mutual,
  nodeClient,
  type Outcome,
  open,
  pem,
  serve,
  uri,
} from '../../../../tests/fakes/tls.ts';
import { fromJson } from '../../../../xds-protos/json.ts';
import type { Secret } from '../../../api/secret.ts';
import { compileSecret } from '../../../common/secret/secret_config.ts';

/** Passes on what clients send in pieces of 100 bytes, each in a turn of its own. */
async function trickling(target: number): Promise<{ port: number }> {
  const server = createServer((socket) => {
    const upstream = netConnect(target, '127.0.0.1').setNoDelay(true);
    for (const one of [socket, upstream]) {
      open.add(one);
      one.on('error', () => {});
    }
    upstream.pipe(socket);
    socket.on('data', async (bytes: Buffer) => {
      socket.pause();
      for (let at = 0; at < bytes.length; at += 100) {
        upstream.write(bytes.subarray(at, at + 100));
        await sleep(1);
      }
      socket.resume();
    });
  });
  open.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address() as AddressInfo;
}

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
    {
      const { port, outcome } = await serve({ common_tls_context: { tls_certificates: certificates } });
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

  test('a ClientHello that comes in pieces', async () => {
    const { port, outcome } = await serve({
      common_tls_context: { tls_certificates: [certificate('server'), certificate('second')] },
    });
    const { port: slow } = await trickling(port);
    const socket = (await nodeClient(slow, { servername: 'second.example.com' })) as TLSSocket;
    assert.match(socket.getPeerX509Certificate()!.subject, /CN=second$/);
    assert.equal((await outcome()).ssl!.sni, 'second.example.com');
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

  test('a compliance policy stands in for versions, suites and curves', async () => {
    const { port, outcome } = await serve({
      common_tls_context: {
        tls_certificates: [certificate('server')],
        tls_params: { compliance_policies: ['FIPS_202205'], tls_maximum_protocol_version: 'TLSv1_2' },
      },
    });
    await nodeClient(port);
    assert.equal((await outcome()).ssl!.tlsVersion, 'TLSv1.3');
    for (const weak of [
      { ecdhCurve: 'X25519' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' },
      { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    ] as const) {
      await nodeClient(port, weak);
      assert.match((await outcome()).error!, /NO_SHARED_(?:CIPHER|GROUP)/);
    }
  });

  /** A first connection, and one that offers its session: whether that was resumed. */
  async function resumes(port: number, options: ConnectionOptions, outcome: () => Promise<Outcome>) {
    const first = (await nodeClient(port, options)) as TLSSocket;
    assert.equal((await outcome()).error, undefined);
    return await resumesWith(first.getSession()!, port, options, outcome);
  }

  async function resumesWith(
    session: Buffer,
    port: number,
    options: ConnectionOptions,
    outcome: () => Promise<Outcome>,
  ) {
    const again = await nodeClient(port, { ...options, session });
    assert.equal((await outcome()).error, undefined);
    return (again as TLSSocket).isSessionReused();
  }

  test('sessions are resumed, unless told otherwise', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...client('client'), minVersion: version, maxVersion: version };
      for (const disabled of [false, true]) {
        const { port, outcome, value } = await serve({
          ...mutual,
          disable_stateless_session_resumption: disabled,
        });
        assert.equal(await resumes(port, options, outcome), !disabled);
        assert.equal(value('ssl.session_reused'), disabled ? 0 : 1);
      }
      // What is looked at of a chain is not in a session.
      const validation = { ...ca(), max_verify_depth: 3 };
      const walked = await serve({
        common_tls_context: { tls_certificates: [certificate('server')], validation_context: validation },
      });
      assert.equal(await resumes(walked.port, options, walked.outcome), false);
    }
  });

  test('sessions are resumed by all who have the ticket keys', async () => {
    const key = (byte: number) => ({ inline_bytes: Buffer.alloc(80, byte).toString('base64') });
    const withKeys = (...keys: number[]) =>
      serve({ ...mutual, session_ticket_keys: { keys: keys.map((byte) => key(byte)) } });
    const [old, rotating, rotated] = [await withKeys(1), await withKeys(2, 1), await withKeys(2)];
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...client('client'), minVersion: version, maxVersion: version };
      const first = (await nodeClient(old.port, options)) as TLSSocket;
      assert.equal((await old.outcome()).error, undefined);
      // The server has echoed: tickets of TLS 1.3 came before that.
      const session = first.getSession()!;
      assert.equal(await resumesWith(session, rotating.port, options, rotating.outcome), true);
      assert.equal(await resumesWith(session, rotated.port, options, rotated.outcome), false);
    }
  });

  test('a certificate is needed where one is required, even if nothing verifies it', async () => {
    const common = { tls_certificates: [certificate('server')] };
    const { port, outcome } = await serve({ common_tls_context: common, require_client_certificate: true });
    await nodeClient(port);
    assert.match((await outcome()).error!, /PEER_DID_NOT_RETURN_A_CERTIFICATE/);
    await nodeClient(port, client('stranger'));
    const { error, ssl } = await outcome();
    assert.equal(error, undefined);
    assert.deepEqual([ssl!.peerCertificatePresented, ssl!.peerCertificateValidated], [true, false]);
  });

  test('a session without a certificate does not get in where one is needed', async () => {
    const common = { tls_certificates: [certificate('server')], validation_context: ca() };
    const optional = await serve({ common_tls_context: common });
    const required = await serve({ common_tls_context: common, require_client_certificate: true });
    const first = (await nodeClient(optional.port, { maxVersion: 'TLSv1.2' })) as TLSSocket;
    await optional.outcome();
    await nodeClient(required.port, { maxVersion: 'TLSv1.2', session: first.getSession()! });
    assert.match((await required.outcome()).error!, /PEER_DID_NOT_RETURN_A_CERTIFICATE/);
    assert.equal(required.value('ssl.fail_verify_no_cert'), 1);
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
