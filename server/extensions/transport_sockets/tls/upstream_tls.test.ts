import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { ca, certificate, mutual, open, serve, upstream, uri } from '../../../../tests/fakes/tls.ts';
import type { UpstreamTransportSocketOptions } from '../../../api/network/transport_socket.ts';

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
      assert.equal(value(`curves.${version === 'TLSv1_2' ? 'X25519' : 'X25519MLKEM768'}`), 3);
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
      /verify SAN list, expected SANs: \[other\.example\.com\], certificate SANs: \[server\..*\]:TLS_error_end fail_verify_san$/,
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
    assert.match(error!, /SAN matcher, certificate SANs are \[second\.example\.com\]/);
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
