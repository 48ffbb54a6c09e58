// Chains, revocation, trust domains and OCSP responses for Envoy and Pilotfish. The certificates are made with the test.

import type { TlsOptions } from 'node:tls';
import { PublicKeyInfrastructure } from '../fakes/public_key_infrastructure.ts';
import { ca, certificate, client, uri } from '../fakes/tls.ts';
import type { Client, TlsCase } from './tls_comparison.ts';

const SPIFFE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';

export class ChainCases {
  readonly #pki = new PublicKeyInfrastructure();

  constructor() {
    const pki = this.#pki;
    pki.root('root');
    pki.root('other');
    pki.issue('upper', 'root', { authority: {} });
    pki.issue('lower', 'upper', { authority: { pathLength: 0 } });
    pki.issue('direct', 'root', { names: 'URI:spiffe://a/x,otherName:1.2.3;UTF8:some name' });
    pki.issue('one', 'upper', { names: 'URI:spiffe://a/one' });
    pki.issue('two', 'lower', { names: 'URI:spiffe://a/two,DNS:two.example.com' });
    pki.issue('foreign', 'other', { names: 'URI:spiffe://b/x' });
    pki.issue('pretender', 'other', { names: 'URI:spiffe://a/x' });
    pki.issue('nobody', 'root', { names: 'DNS:a' });
    pki.issue('quoted', 'root', {
      subject: '/O=Pilot "fish", Inc.; a+b/OU= x /CN=a\\/b <c> #é=\\\\',
      names: '@names\n[names]\nURI.1=spiffe://a/x;URI=spiffe://b/y\\,z"w\nDNS.1=a"b\nemail.1=a@b',
    });
    pki.issue('server_only', 'root', {
      names: 'URI:spiffe://a/x',
      extensions: ['extendedKeyUsage=serverAuth'],
    });
    pki.issue('stapled', 'root', { names: 'DNS:stapled.example.com,URI:spiffe://a/1,URI:spiffe://a/2' });
    pki.issue('ec', 'root', { names: 'DNS:ec.example.com', extensions: ['keyUsage=keyAgreement'] });
    pki.issue('rsa', 'root', {
      key: 'rsa',
      names: 'DNS:rsa.example.com',
      extensions: ['keyUsage=keyEncipherment'],
    });
  }

  remove(): void {
    this.#pki.remove();
  }

  #client(name: string, ...chain: readonly string[]): Client {
    const cert = [name, ...chain].map((one) => this.#pki.pem(one)).join('');
    return { tls: { key: this.#pki.key(name), cert } };
  }

  get #clients(): readonly Client[] {
    return [
      this.#client('direct'),
      this.#client('one', 'upper'),
      this.#client('two', 'lower', 'upper'),
      this.#client('one'),
      this.#client('server_only'),
    ];
  }

  #validated(
    name: string,
    validation: object,
    clients: readonly Client[],
    more: Partial<TlsCase> = {},
  ): TlsCase {
    const common = { tls_certificates: [certificate('server')], validation_context: validation };
    return { name, downstream: { common_tls_context: common }, clients, ...more };
  }

  #roots(...names: readonly string[]): object {
    return { inline_string: names.map((name) => this.#pki.pem(name)).join('') };
  }

  #spiffe(
    name: string,
    domains: Readonly<Record<string, string>>,
    clients: readonly Client[],
    more: object = {},
  ): TlsCase {
    const trust_domains = Object.entries(domains).map(([domain, bundle]) => ({
      name: domain,
      trust_bundle: { inline_string: bundle },
    }));
    const typed_config = { '@type': SPIFFE, trust_domains };
    const custom = { custom_validator_config: { name: 'envoy.tls.cert_validator.spiffe', typed_config } };
    return this.#validated(name, { ...custom, ...more }, clients);
  }

  get all(): readonly TlsCase[] {
    const pki = this.#pki;
    const roots = { trusted_ca: this.#roots('root') };
    const revoking = [pki.crl('upper', ['one']), pki.crl('root', [])].join('');
    const crl = { inline_string: revoking };
    const onlyUpper = { inline_string: pki.crl('upper', ['one']) };
    const onlyRoot = { inline_string: pki.crl('root', []) };
    const oldList = { inline_string: pki.crl('root', [], true) };
    const forwarding = {
      forward_client_cert_details: 'SANITIZE_SET',
      set_current_client_cert_details: { subject: true, cert: true, chain: true, dns: true, uri: true },
    };
    const revokedClients = [
      this.#client('one', 'upper'),
      this.#client('direct'),
      this.#client('two', 'lower', 'upper'),
    ];
    const spiffeClients = ['direct', 'foreign', 'pretender', 'nobody'].map((name) => this.#client(name));
    const both = { a: pki.pem('root'), b: pki.pem('other') };
    return [
      this.#validated('chains', roots, this.#clients, { manager: forwarding }),
      this.#validated('names that need quoting', roots, [this.#client('quoted')], { manager: forwarding }),
      ...[0, 1, 2].map((depth) =>
        this.#validated(
          `max_verify_depth ${depth}`,
          { ...roots, max_verify_depth: depth },
          this.#clients.slice(0, 3),
        ),
      ),
      this.#validated('an intermediate is trusted', { trusted_ca: this.#roots('upper') }, this.#clients),
      this.#validated('a certificate is revoked', { ...roots, crl }, revokedClients.slice(0, 2)),
      this.#validated('a list is missing', { ...roots, crl: onlyRoot }, revokedClients),
      this.#validated(
        'a list is missing for the certificate itself',
        { ...roots, crl: onlyRoot, only_verify_leaf_cert_crl: true },
        revokedClients,
      ),
      this.#validated('a list has expired', { ...roots, crl: oldList, only_verify_leaf_cert_crl: true }, [
        this.#client('direct'),
      ]),
      this.#validated(
        'a list among the roots',
        { trusted_ca: { inline_string: pki.pem('root') + revoking } },
        revokedClients.slice(0, 2),
      ),
      this.#validated(
        'only_verify_leaf_cert_crl',
        { ...roots, crl: onlyUpper, only_verify_leaf_cert_crl: true },
        revokedClients,
      ),
      this.#validated(
        'revoked and allowed to be expired',
        { ...roots, crl, allow_expired_certificate: true },
        revokedClients,
      ),
      this.#spiffe('trust domains', both, spiffeClients),
      this.#spiffe('a trust domain with names', both, spiffeClients, {
        match_typed_subject_alt_names: uri({ exact: 'spiffe://b/x' }),
      }),
      this.#spiffe('a trust domain over intermediates', both, this.#clients.slice(0, 4)),
      this.#spiffe(
        'a trust domain with a list',
        { a: pki.pem('root') + revoking },
        revokedClients.slice(0, 2),
      ),
      this.#spiffe('trust domains and no certificate', both, [{}]),
      this.#validated(
        'another name',
        {
          ...roots,
          match_typed_subject_alt_names: [
            { san_type: 'OTHER_NAME', oid: '1.2.3', matcher: { prefix: 'some' } },
          ],
        },
        this.#clients.slice(0, 2),
      ),
      ...['LENIENT_STAPLING', 'STRICT_STAPLING', 'MUST_STAPLE'].flatMap((policy) => [
        this.#stapled(`a fresh OCSP response, ${policy}`, policy, pki.ocsp('stapled', 'root', 600)),
        this.#stapled(`an old OCSP response, ${policy}`, policy, pki.ocsp('stapled', 'root', 0)),
      ]),
      this.#stapled('no OCSP response', 'STRICT_STAPLING', undefined),
      ...[undefined, true, false].map((enforced) => this.#keyUsage('rsa', enforced)),
      this.#keyUsage('rsa', undefined, { ciphers: 'AES128-SHA', maxVersion: 'TLSv1.2' }),
      this.#validated('keys of clients for another use', roots, [this.#client('rsa'), this.#client('ec')], {
        exceptions: { DOWNSTREAM_PEER_: 'known' },
      }),
      {
        name: 'several URI names of ours',
        downstream: {
          common_tls_context: {
            tls_certificates: [
              {
                certificate_chain: this.#roots('stapled'),
                private_key: { inline_string: pki.key('stapled') },
              },
            ],
            validation_context: ca(),
          },
        },
        manager: forwarding,
        clients: [{ tls: client('client') }],
      },
    ];
  }

  #keyUsage(kind: string, enforced: boolean | undefined, more: TlsOptions = {}): TlsCase {
    return {
      name: `a ${kind} key for another use, enforce_rsa_key_usage ${enforced} ${JSON.stringify(more)}`,
      upstream: {
        ...(enforced === undefined ? {} : { enforce_rsa_key_usage: enforced }),
        common_tls_context: {
          validation_context: { trusted_ca: this.#roots('root') },
          tls_params: {
            cipher_suites: ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'AES128-SHA'],
          },
        },
      },
      server: { key: this.#pki.key(kind), cert: this.#pki.pem(kind), ...more },
      clients: [{ tls: 'plain' }],
      exceptions: { sigalgs: 'not known with TLS 1.2' },
    };
  }

  #stapled(name: string, policy: string, response: Buffer | undefined): TlsCase {
    const tls_certificate = {
      certificate_chain: this.#roots('stapled'),
      private_key: { inline_string: this.#pki.key('stapled') },
      ...(response && { ocsp_staple: { inline_bytes: response.toString('base64') } }),
    };
    return {
      name,
      downstream: { ocsp_staple_policy: policy, common_tls_context: { tls_certificates: [tls_certificate] } },
      clients: [{ tls: { requestOCSP: true } }, { tls: { requestOCSP: true, maxVersion: 'TLSv1.2' } }, {}],
      exceptions: { DOWNSTREAM_LOCAL_: 'not known when no certificate was chosen' },
    };
  }
}
