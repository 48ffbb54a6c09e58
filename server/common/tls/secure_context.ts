// OpenSSL contexts: one for each combination of certificates, trusted roots and parameters, made when first needed and shared
// by every listener and cluster that wants the same. A secret that changed is a new object, hence a new context; connections
// keep the one they began with. Envoy: source/common/tls/context_impl.cc.

import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { SessionTicketKeysSecret, TlsCertificateSecret } from '../../api/secret.ts';
import { crypto, nodeTls } from '../builtins.ts';
import type { TlsParams } from './tls_params.ts';
import type { TrustStore } from './trust_store.ts';

export interface SecureContextOptions {
  readonly params: TlsParams;
  /** At most one per kind of key: OpenSSL picks by what the peer can verify. */
  readonly certificates: readonly TlsCertificateSecret[];
  readonly trust: TrustStore;
  readonly ticketKeys: SessionTicketKeysSecret | undefined;
  /** ssl.h SSL_OP_*. */
  readonly secureOptions: number;
  readonly honorCipherOrder: boolean;
  /** Seconds; undefined for OpenSSL's default. */
  readonly sessionTimeout: number | undefined;
}

const NOTHING = {};
/** By first certificate, trusted roots and the rest. Weak, so that a rotated secret takes its contexts along. */
const contexts = new WeakMap<object, WeakMap<object, Map<string, SecureContext>>>();
const leaves = new WeakMap<TlsCertificateSecret, X509Certificate>();
const numbers = new WeakMap<object, number>();
let lastNumber = 0;

/** The context for `options`, made now if there is none. Throws what OpenSSL says of unusable material. */
export function secureContext(options: SecureContextOptions): SecureContext {
  const { certificates, trust, params } = options;
  const certificate = certificates[0] ?? NOTHING;
  let byRoots = contexts.get(certificate);
  if (byRoots === undefined) contexts.set(certificate, (byRoots = new WeakMap()));
  let byRest = byRoots.get(trust);
  if (byRest === undefined) byRoots.set(trust, (byRest = new Map()));
  const others = [...certificates.slice(1), options.ticketKeys ?? NOTHING].map(numberOf).join();
  const key = `${params.key}|${options.secureOptions}|${options.honorCipherOrder}|${options.sessionTimeout}|${others}`;
  let context = byRest.get(key);
  if (context === undefined) byRest.set(key, (context = create(options, key)));
  return context;
}

function create(options: SecureContextOptions, key: string): SecureContext {
  const { certificates, trust, params, ticketKeys } = options;
  return nodeTls().createSecureContext({
    minVersion: params.minVersion,
    maxVersion: params.maxVersion,
    ciphers: params.ciphers,
    ecdhCurve: params.ecdhCurve,
    ...(params.sigalgs === undefined ? {} : { sigalgs: params.sigalgs }),
    honorCipherOrder: options.honorCipherOrder,
    secureOptions: options.secureOptions,
    cert: certificates.map(({ certificateChainPem }) => certificateChainPem),
    key: certificates.map(({ privateKeyPem, password }) => ({ pem: privateKeyPem, passphrase: password })),
    // An empty list, unlike none, keeps node's own roots out.
    ca: trust.caPem === '' ? [] : [trust.caPem],
    ...(trust.crlPem === '' ? {} : { crl: trust.crlPem }),
    allowPartialTrustChain: true,
    // Without it OpenSSL refuses to resume a session in which the client showed a certificate.
    sessionIdContext: crypto.createHash('sha256').update(key).update(trust.caPem).digest('hex').slice(0, 32),
    ...(options.sessionTimeout === undefined ? {} : { sessionTimeout: options.sessionTimeout }),
    ...(ticketKeys === undefined ? {} : { ticketKeys: nodeTicketKeys(ticketKeys) }),
  });
}

/** node takes one key of 48 bytes; it is derived from the first, which is the one that encrypts. */
function nodeTicketKeys({ keys }: SessionTicketKeysSecret): Buffer {
  return Buffer.from(crypto.hkdfSync('sha256', keys[0], '', 'session ticket keys', 48));
}

function numberOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) numbers.set(object, (number = ++lastNumber));
  return number;
}

/** The certificate itself (the first of the chain). */
export function leafCertificate(secret: TlsCertificateSecret): X509Certificate {
  let leaf = leaves.get(secret);
  if (leaf === undefined) leaves.set(secret, (leaf = new crypto.X509Certificate(secret.certificateChainPem)));
  return leaf;
}

export const { SSL_OP_NO_TICKET, SSL_OP_NO_RENEGOTIATION } = crypto.constants;
