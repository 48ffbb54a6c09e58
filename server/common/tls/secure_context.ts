// OpenSSL contexts: one for each combination of certificates, trusted roots and parameters, made when first needed and shared
// by every listener and cluster that wants the same. A secret that changed is a new object, hence a new context; connections
// keep the one they began with. Envoy: source/common/tls/context_impl.cc.

import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { TlsCertificateSecret } from '../../api/secret.ts';
import { crypto, nodeTls } from '../builtins.ts';
import type { TlsParams } from './tls_params.ts';
import type { TrustStore } from './trust_store.ts';

export interface SecureContextOptions {
  readonly params: TlsParams;
  /** The one to show, if any. */
  readonly certificates: readonly TlsCertificateSecret[];
  readonly trust: TrustStore;
  /** 48 bytes; undefined for OpenSSL's own, of which every context has others. */
  readonly ticketKey: Buffer | undefined;
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

/** The context for `options`, made now if there is none. Throws what OpenSSL says of unusable material. */
export function secureContext(options: SecureContextOptions): SecureContext {
  const { certificates, trust, params } = options;
  const certificate = certificates[0] ?? NOTHING;
  let byRoots = contexts.get(certificate);
  if (byRoots === undefined) contexts.set(certificate, (byRoots = new WeakMap()));
  let byRest = byRoots.get(trust);
  if (byRest === undefined) byRoots.set(trust, (byRest = new Map()));
  const ticketKey = options.ticketKey?.toString('hex', 0, 16);
  const key = `${params.key}|${options.secureOptions}|${options.honorCipherOrder}|${options.sessionTimeout}|${ticketKey}`;
  let context = byRest.get(key);
  if (context === undefined) byRest.set(key, (context = create(options)));
  return context;
}

function create(options: SecureContextOptions): SecureContext {
  const { certificates, trust, params, ticketKey } = options;
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
    sessionIdContext: sessionIdContext(options),
    ...(options.sessionTimeout === undefined ? {} : { sessionTimeout: options.sessionTimeout }),
    ...(ticketKey === undefined ? {} : { ticketKeys: ticketKey }),
  });
}

/**
 * A session is resumed only where the server goes by the same names and trusts the same roots, whichever worker or process it
 * is: its certificate may have been renewed since. Envoy: ServerContextImpl::generateHashForSessionContextId.
 */
function sessionIdContext({ certificates, trust, params }: SecureContextOptions): string {
  const hash = crypto.createHash('sha256').update(params.key).update(`\n${trust.caPem}\n${trust.crlPem}`);
  for (const certificate of certificates) {
    const { subject, subjectAltName, issuer } = leafCertificate(certificate);
    hash.update(`\n${subject}\n${subjectAltName}\n${issuer}`);
  }
  return hash.digest('hex').slice(0, 32);
}

/** The certificate itself (the first of the chain). */
export function leafCertificate(secret: TlsCertificateSecret): X509Certificate {
  let leaf = leaves.get(secret);
  if (leaf === undefined) leaves.set(secret, (leaf = new crypto.X509Certificate(secret.certificateChainPem)));
  return leaf;
}

export const { SSL_OP_NO_TICKET, SSL_OP_NO_RENEGOTIATION } = crypto.constants;
