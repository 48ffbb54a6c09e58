// TLS handshakes for Envoy and Pilotfish: see tls_comparison.ts. Certificates: tests/fixtures/certs.

import { ca, certificate, client, mutual, pem, uri } from '../fakes/tls.ts';
import type { TlsCase } from './tls_comparison.ts';

const SERVER = { key: pem('server.key'), cert: pem('server.pem') };
const CLIENT = client('client');
const asks = (validation: object, more: object = {}) => ({
  common_tls_context: { tls_certificates: [certificate('server')], validation_context: validation, ...more },
});
const plain = { common_tls_context: { tls_certificates: [certificate('server')] } };
const XFCC = 'x-forwarded-client-cert: By=spiffe://other;Hash=00';

const DETAILS = { subject: true, cert: true, chain: true, dns: true, uri: true };
/** Which algorithm a peer signed with node does not tell; it is certain only where the key leaves no choice. */
const SIGALGS = { sigalgs: 'not known with TLS 1.2 and RSA' };
/** Whether the issuer is known of a certificate that has passed in part, or earlier. */
const ISSUER = { DOWNSTREAM_PEER_ISSUER_: 'known whenever the certificate is trusted' };
/** The policy stands in for the others. */
const FIPS = {
  compliance_policies: ['FIPS_202205'],
  tls_maximum_protocol_version: 'TLSv1_2',
  ecdh_curves: ['X25519'],
};
const MODES = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'];

export const DOWNSTREAM_CASES: readonly TlsCase[] = [
  { name: 'no client certificate', downstream: plain, clients: [{}, { tls: { maxVersion: 'TLSv1.2' } }] },
  {
    name: 'mutual TLS',
    exceptions: SIGALGS,
    downstream: mutual,
    clients: [{ tls: CLIENT }, { tls: { ...CLIENT, maxVersion: 'TLSv1.2' } }],
  },
  {
    name: 'session resumed',
    exceptions: { ...SIGALGS, ...ISSUER },
    downstream: mutual,
    clients: ['TLSv1.2', 'TLSv1.3'].flatMap((version) => {
      const handshake = { tls: { ...CLIENT, minVersion: version, maxVersion: version } as never };
      return [handshake, { ...handshake, resume: true }];
    }),
  },
  {
    name: 'routes by TLS context',
    exceptions: { ...SIGALGS, ...ISSUER },
    downstream: asks({ ...ca(), trust_chain_verification: 'ACCEPT_UNTRUSTED' }),
    manager: {
      route_config: {
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [
              { presented: true, validated: true },
              { presented: true, validated: false },
              { presented: false },
              {},
            ].map((tls_context, i) => ({
              match: { prefix: '/', tls_context },
              direct_response: { status: 201 + i },
            })),
          },
        ],
      },
    },
    clients: [{ tls: CLIENT }, { tls: client('stranger') }, {}],
  },
  {
    name: 'a client without a certificate',
    downstream: mutual,
    clients: [{}, { tls: { maxVersion: 'TLSv1.2' } }],
  },
  { name: 'a client nobody knows', downstream: mutual, clients: [{ tls: client('stranger') }] },
  { name: 'an expired client', downstream: mutual, clients: [{ tls: client('expired') }] },
  {
    name: 'a client of another name',
    downstream: asks({ ...ca(), match_typed_subject_alt_names: uri({ exact: 'spiffe://x' }) }),
    clients: [{ tls: CLIENT }, {}],
  },
  {
    name: 'a client of another hash',
    downstream: asks({ ...ca(), verify_certificate_hash: ['00'.repeat(32)] }),
    clients: [{ tls: CLIENT }, {}],
  },
  {
    name: 'untrusted clients accepted',
    downstream: asks({ ...ca(), trust_chain_verification: 'ACCEPT_UNTRUSTED' }),
    clients: [{ tls: client('stranger') }, { tls: CLIENT }, { tls: client('expired') }, {}],
  },
  {
    name: 'untrusted clients with names accepted',
    exceptions: ISSUER,
    downstream: asks({
      ...ca(),
      trust_chain_verification: 'ACCEPT_UNTRUSTED',
      match_typed_subject_alt_names: uri({ exact: 'spiffe://x' }),
    }),
    clients: [{ tls: client('stranger') }, { tls: CLIENT }, {}],
  },
  {
    name: 'expired clients accepted',
    downstream: asks({ ...ca(), allow_expired_certificate: true }),
    clients: [{ tls: client('expired') }, { tls: client('expired_stranger') }],
  },
  { name: 'plaintext', downstream: plain, clients: [{ tls: 'plain' }] },
  {
    name: 'no version in common',
    downstream: asks(ca(), { tls_params: { tls_minimum_protocol_version: 'TLSv1_3' } }),
    clients: [{ tls: { maxVersion: 'TLSv1.2' } }],
  },
  {
    name: 'no cipher in common',
    downstream: asks(ca(), {
      tls_params: {
        tls_maximum_protocol_version: 'TLSv1_2',
        cipher_suites: ['ECDHE-ECDSA-AES128-GCM-SHA256'],
      },
    }),
    clients: [{ tls: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' } }],
  },
  {
    name: 'no curve in common',
    downstream: asks(ca(), { tls_params: { ecdh_curves: ['P-384'] } }),
    clients: [{ tls: { ecdhCurve: 'P-256' } }, { tls: { ecdhCurve: 'P-256:P-384' } }],
  },
  {
    name: 'curves',
    downstream: plain,
    clients: [
      { tls: { ecdhCurve: 'P-256' } },
      { tls: { ecdhCurve: 'P-384:X25519' } },
      { tls: { ecdhCurve: 'P-256:X25519', maxVersion: 'TLSv1.2' } },
    ],
  },
  {
    name: 'rsa signature',
    downstream: { common_tls_context: { tls_certificates: [certificate('server_rsa')] } },
    clients: [{}, { tls: { maxVersion: 'TLSv1.2' } }],
  },
  {
    name: 'ALPN',
    downstream: asks(ca(), { alpn_protocols: ['h2', 'http/1.1'] }),
    clients: [{ tls: { ALPNProtocols: ['http/1.1'] } }, { tls: { ALPNProtocols: ['foo'] } }],
  },
  {
    name: 'several certificates',
    downstream: {
      common_tls_context: {
        tls_certificates: [certificate('server'), certificate('second'), certificate('server_rsa')],
      },
    },
    clients: [
      { tls: { servername: 'second.example.com' } },
      { tls: { servername: 'a.wild.example.com' } },
      { tls: { servername: 'other.example.com' } },
      { tls: { servername: 'server.example.com', sigalgs: 'rsa_pss_rsae_sha256' } },
      { tls: { sigalgs: 'rsa_pss_rsae_sha256' } },
      { tls: { servername: 'second.example.com', sigalgs: 'rsa_pss_rsae_sha256' } },
      { tls: { servername: 'other.example.com', sigalgs: 'rsa_pss_rsae_sha256' } },
    ],
  },
  {
    name: 'several certificates, all looked at',
    downstream: {
      full_scan_certs_on_sni_mismatch: true,
      common_tls_context: {
        tls_certificates: [certificate('second'), certificate('server'), certificate('server_rsa')],
      },
    },
    clients: [
      { tls: { servername: 'server.example.com' } },
      { tls: { servername: 'other.example.com' } },
      { tls: { servername: 'other.example.com', sigalgs: 'rsa_pss_rsae_sha256' } },
    ],
  },
  {
    name: 'FIPS_202205',
    downstream: asks(ca(), { tls_params: FIPS }),
    clients: [
      {},
      { tls: { ecdhCurve: 'X25519' } },
      { tls: { ecdhCurve: 'P-256' } },
      { tls: { ecdhCurve: 'P-384:P-256', maxVersion: 'TLSv1.2' } },
      {
        tls: {
          maxVersion: 'TLSv1.2',
          ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
        },
      },
      { tls: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' } },
      { tls: { sigalgs: 'ed25519:rsa_pss_rsae_sha256' } },
    ],
  },
  ...[false, true].map((prefer_client_ciphers) => ({
    name: `prefer_client_ciphers ${prefer_client_ciphers}`,
    downstream: {
      ...asks(ca(), {
        tls_params: { cipher_suites: ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'] },
      }),
      prefer_client_ciphers,
    },
    clients: [
      {
        tls: {
          maxVersion: 'TLSv1.2',
          ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
        },
      },
      { tls: { ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256' } },
      { tls: { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384' } },
    ] as const,
  })),
  // Without tickets Envoy resumes sessions of TLS 1.2 by their ids, which node does not keep.
  ...[
    ['stateless', 'TLSv1.3'],
    ['stateful', 'TLSv1.2'],
    ['stateful', 'TLSv1.3'],
  ].map(([kind, version]) => {
    const handshake = { tls: { ...CLIENT, minVersion: version, maxVersion: version } as never };
    return {
      name: `disable_${kind}_session_resumption ${version}`,
      downstream: { ...mutual, [`disable_${kind}_session_resumption`]: true },
      clients: [handshake, { ...handshake, resume: true }],
      exceptions: { ...SIGALGS, ...ISSUER },
    };
  }),
  {
    name: 'chains by SNI and ALPN',
    chains: [
      {
        match: { server_names: ['second.example.com'] },
        downstream: { common_tls_context: { tls_certificates: [certificate('second')] } },
      },
      {
        match: { application_protocols: ['foo'] },
        downstream: {
          common_tls_context: { alpn_protocols: ['foo'], tls_certificates: [certificate('server_rsa')] },
        },
      },
      { match: { transport_protocol: 'raw_buffer' } },
    ],
    clients: [
      { tls: { servername: 'second.example.com' } },
      { tls: { ALPNProtocols: ['foo'] } },
      { tls: { servername: 'none.example.com' } },
    ],
  },
  ...MODES.map((mode) => ({
    name: `x-forwarded-client-cert ${mode}`,
    downstream: asks(ca()),
    manager: { forward_client_cert_details: mode, set_current_client_cert_details: DETAILS },
    clients: [
      { tls: CLIENT, headers: [XFCC] },
      { tls: CLIENT },
      { headers: [XFCC] },
      { tls: client('stranger') },
    ],
  })),
  {
    name: 'x-forwarded-client-cert by default',
    downstream: asks(ca()),
    manager: { forward_client_cert_details: 'SANITIZE_SET' },
    clients: [{ tls: CLIENT }],
  },
  {
    name: 'x-forwarded-client-cert of untrusted',
    downstream: asks({ ...ca(), trust_chain_verification: 'ACCEPT_UNTRUSTED' }),
    manager: { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: DETAILS },
    clients: [{ tls: client('stranger') }],
  },
  {
    name: 'no roots',
    downstream: plain,
    manager: { forward_client_cert_details: 'SANITIZE_SET' },
    clients: [{ tls: CLIENT }],
  },
];

const upstreamChecks = (validation: object, more: object = {}) => ({
  sni: 'server.example.com',
  common_tls_context: { validation_context: validation },
  ...more,
});
const NO_AUTHORITY = { unnamed_ca_cert: 'in Envoy, an authority that is not there never expires' };
const httpOptions = (upstream_http_protocol_options: object) => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http_protocol_options: {} },
    upstream_http_protocol_options,
  },
});
const MUTUAL_SERVER = { ...SERVER, ca: pem('ca.pem'), requestCert: true, rejectUnauthorized: true };

export const UPSTREAM_CASES: readonly TlsCase[] = [
  {
    name: 'upstream, unverified',
    exceptions: SIGALGS,
    upstream: {},
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream, TLS 1.3',
    upstream: { common_tls_context: { tls_params: { tls_maximum_protocol_version: 'TLSv1_3' } } },
    server: SERVER,
    clients: [{ tls: 'plain' }, { tls: 'plain' }],
  },
  {
    name: 'upstream, mutual',
    exceptions: SIGALGS,
    upstream: {
      sni: 'server.example.com',
      common_tls_context: {
        tls_certificates: [certificate('client')],
        alpn_protocols: ['http/1.1'],
        validation_context: ca(),
      },
    },
    server: { ...MUTUAL_SERVER, ALPNProtocols: ['http/1.1'] },
    clients: [{ tls: 'plain' }, { tls: 'plain' }],
  },
  {
    name: 'upstream wants a certificate',
    upstream: upstreamChecks(ca()),
    server: MUTUAL_SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream nobody knows',
    upstream: upstreamChecks(ca('other_ca')),
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream expired',
    upstream: upstreamChecks(ca()),
    server: { ...client('expired') },
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream of another name',
    upstream: upstreamChecks({
      ...ca(),
      match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'other.example.com' } }],
    }),
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream of another hash',
    upstream: upstreamChecks({ ...ca(), verify_certificate_hash: ['00'.repeat(32)] }),
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  { name: 'upstream plaintext', upstream: upstreamChecks(ca()), clients: [{ tls: 'plain' }] },
  {
    name: 'upstream, no version in common',
    upstream: upstreamChecks(ca()),
    server: { ...SERVER, minVersion: 'TLSv1.3' },
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'upstream, no cipher in common',
    upstream: upstreamChecks(ca()),
    server: { ...SERVER, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA' },
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'auto_sni_san_validation',
    exceptions: SIGALGS,
    upstream: { ...upstreamChecks(ca()), auto_sni_san_validation: true },
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'auto_sni_san_validation of another',
    upstream: { ...upstreamChecks(ca()), sni: 'foo.example.com', auto_sni_san_validation: true },
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'auto_host_sni',
    exceptions: SIGALGS,
    upstream: {
      auto_host_sni: true,
      auto_sni_san_validation: true,
      common_tls_context: { validation_context: ca() },
    },
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'auto_sni and auto_san_validation',
    upstream: upstreamChecks(ca()),
    server: SERVER,
    cluster: {
      typed_extension_protocol_options: httpOptions({ auto_sni: true, auto_san_validation: true }),
    },
    clients: [{ tls: 'plain' }],
  },
  ...(
    [
      ['without an authority to trust', { sni: 'server.example.com' }],
      ['with nothing but a hash', upstreamChecks({ verify_certificate_hash: ['00'.repeat(32)] })],
      ['with an empty context', upstreamChecks({})],
    ] as const
  ).map(([what, upstream]) => ({
    name: `auto_san_validation ${what}`,
    upstream,
    server: SERVER,
    cluster: {
      typed_extension_protocol_options: httpOptions({ auto_sni: true, auto_san_validation: true }),
    },
    clients: [{ tls: 'plain' }] as const,
    exceptions: NO_AUTHORITY,
  })),
  {
    name: 'upstream by FIPS_202205',
    upstream: { common_tls_context: { tls_params: FIPS } },
    server: SERVER,
    clients: [{ tls: 'plain' }],
  },
  {
    name: 'auto_sni',
    upstream: upstreamChecks(ca()),
    server: SERVER,
    cluster: { typed_extension_protocol_options: httpOptions({ auto_sni: true }) },
    clients: [{ tls: 'plain' }],
    exceptions: SIGALGS,
  },
  {
    name: 'auto_sni of a host that the route rewrites',
    upstream: upstreamChecks(ca()),
    server: SERVER,
    route: { host_rewrite_literal: 'rewritten.example.com' },
    cluster: { typed_extension_protocol_options: httpOptions({ auto_sni: true }) },
    clients: [{ tls: 'plain' }, { tls: 'plain', host: '127.0.0.1:8080' }],
    exceptions: SIGALGS,
  },
  {
    name: 'SANs from another header',
    upstream: upstreamChecks(ca()),
    server: SERVER,
    cluster: {
      typed_extension_protocol_options: httpOptions({
        auto_sni: true,
        auto_san_validation: true,
        override_auto_sni_header: 'x-name',
      }),
    },
    clients: [
      { tls: 'plain', headers: ['x-name: server.example.com'] },
      { tls: 'plain', headers: ['x-name: other.example.com'] },
    ],
    exceptions: SIGALGS,
  },
  ...[0, 1, 2].map((keys) => ({
    name: `max_session_keys ${keys}`,
    upstream: { max_session_keys: keys },
    server: SERVER,
    clients: [{ tls: 'plain' }, { tls: 'plain' }, { tls: 'plain' }] as const,
    exceptions: SIGALGS,
  })),
  {
    name: 'transport_socket_matches',
    exceptions: SIGALGS,
    server: SERVER,
    endpoint: { metadata: { filter_metadata: { 'envoy.transport_socket_match': { tls: true } } } },
    cluster: {
      transport_socket_matches: [
        {
          name: 'no',
          match: { tls: false },
          transport_socket: {
            name: 'envoy.transport_sockets.raw_buffer',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
            },
          },
        },
        {
          name: 'tls',
          match: { tls: true },
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
              sni: 'a.wild.example.com',
            },
          },
        },
      ],
    },
    clients: [{ tls: 'plain' }],
  },
];
