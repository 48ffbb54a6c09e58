// The certificates and trusted roots of the TLS contexts that serve, for /certs and for the stats of when they expire: found in
// the messages of the active listeners and clusters, their secrets where SDS says they are.
// Envoy: ContextImpl::getCertChainInformation and initializeCertExpirationStats (source/common/tls/context_impl.cc).

import type { Certificate } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { TransportSocket } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  CertificateValidationContext,
  CommonTlsContext,
  SdsSecretConfig,
  Secret,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { create, decode, decodeAny } from '../../../xds-protos/load.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { listenerStatName } from '../../common/listener/listener_config.ts';
import { trustDomainsOf } from '../../common/secret/secret_config.ts';
import { statName } from '../../common/upstream/cluster_config.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';
import { CertificateSources, type SourcedCertificate, wholeDaysUntil } from './certificate_sources.ts';

const NO_CONTEXTS: readonly TlsContext[] = Object.freeze([]);
/** In the type URL of every TLS context; most clusters have none, and need not be decoded to know it. */
const TLS_CONTEXT = 'TlsContext';
/** Names of certificates that have none: with the digest of nothing. Envoy: `unnamed_cert_<sha256 of the name, 4 bytes>`. */
const UNNAMED_CERTIFICATE = 'unnamed_cert_e3b0c442';
const UNNAMED_ROOTS = 'unnamed_ca_cert_e3b0c442';

/** A listener or cluster with a TLS context. */
export interface CertificateUser {
  readonly kind: 'listener' | 'cluster';
  readonly name: string;
}

/** A certificate that serves, once for all who use it. Times are in ms since 1970. */
export interface CertificateUse {
  /** Its first subject alternative name, or else its subject. */
  readonly name: string;
  readonly role: 'certificate' | 'trusted_root';
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly subjectAltNames: readonly string[];
  /** '' where it is part of a resource. */
  readonly secret: string;
  readonly path: string;
  readonly validFromMs: number;
  readonly expiresMs: number;
  readonly usedBy: CertificateUser[];
}

interface TlsContext {
  readonly user: CertificateUser;
  /** `listener.<x>.ssl.` or `cluster.<x>.ssl.`. */
  readonly statPrefix: string;
  readonly config: CommonTlsContext;
}

/** What one context has, as it serves now. */
interface InUse {
  readonly user: CertificateUser;
  readonly statPrefix: string;
  readonly chain: readonly SourcedCertificate[];
  readonly roots: readonly SourcedCertificate[];
}

export class CertificatesInUse {
  readonly #store: ConfigStore;
  readonly #sources = new CertificateSources();
  /** By the bytes of their listener or cluster, which never change. */
  readonly #contexts = new WeakMap<Uint8Array, readonly TlsContext[]>();
  readonly #secrets = new WeakMap<Uint8Array, Secret>();
  readonly #roots = new WeakMap<CertificateValidationContext, readonly SourcedCertificate[]>();

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  /** One for each context. */
  all(): Certificate[] {
    return [...this.#inUse()].map(({ chain, roots }) =>
      create('envoy.admin.v3.Certificate', {
        ca_cert: roots.map((one) => one.details()),
        cert_chain: chain.map((one) => one.details()),
      }),
    );
  }

  /** One for each certificate, with all who use it. */
  uses(): CertificateUse[] {
    const uses = new Map<string, CertificateUse>();
    for (const { user, chain, roots } of this.#inUse()) {
      for (const one of chain) addUse(uses, 'certificate', one, user);
      for (const one of roots) addUse(uses, 'trusted_root', one, user);
    }
    return [...uses.values()];
  }

  /** Whole days, not below 0; undefined when no certificate is in use. */
  daysUntilFirstExpiring(): number | undefined {
    let first: number | undefined;
    for (const { chain, roots } of this.#inUse()) {
      for (const { expiresMs } of [...chain, ...roots]) first = Math.min(first ?? expiresMs, expiresMs);
    }
    return first === undefined ? undefined : wholeDaysUntil(first);
  }

  /** Whole seconds, not below 0; 0 also when there is none. */
  secondsUntilFirstOcspResponseExpiring(): number {
    let first: number | undefined;
    for (const { chain } of this.#inUse()) {
      for (const { ocsp } of chain) {
        if (ocsp !== undefined) first = Math.min(first ?? ocsp.nextUpdateMs, ocsp.nextUpdateMs);
      }
    }
    return first === undefined ? 0 : Math.max(0, Math.floor((first - Date.now()) / 1000));
  }

  /** Seconds since the epoch at which certificates expire, by the name of the stat. */
  expirations(): Map<string, number> {
    const found = new Map<string, number>();
    for (const { statPrefix, chain, roots } of this.#inUse()) {
      for (const { statName: name, expiresMs } of [...chain, ...roots]) {
        found.set(`${statPrefix}certificate.${name}.expiration_unix_time_seconds`, expiresMs / 1000);
      }
    }
    return found;
  }

  *#inUse(): Generator<InUse> {
    for (const { user, statPrefix, config } of this.#activeContexts()) {
      yield { user, statPrefix, chain: this.#chainOf(config), roots: this.#rootsOf(config) };
    }
  }

  *#activeContexts(): Generator<TlsContext> {
    for (const { active } of this.#store.listeners.all) {
      if (active !== undefined) yield* this.#contextsIn(active.bytes, listenerContexts);
    }
    for (const { active } of this.#store.clusters.all) {
      if (active !== undefined) yield* this.#contextsIn(active.bytes, clusterContexts);
    }
  }

  #contextsIn(
    bytes: Uint8Array,
    contextsOf: (bytes: Uint8Array) => readonly TlsContext[],
  ): readonly TlsContext[] {
    let contexts = this.#contexts.get(bytes);
    if (contexts === undefined) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      contexts = text.includes(TLS_CONTEXT) ? contextsOf(bytes) : NO_CONTEXTS;
      this.#contexts.set(bytes, contexts);
    }
    return contexts;
  }

  /** The first of each chain, as Envoy shows them. */
  #chainOf(config: CommonTlsContext): SourcedCertificate[] {
    const inline = config.tls_certificates.map((one) => this.#sources.leaf(one, UNNAMED_CERTIFICATE));
    const bySds = config.tls_certificate_sds_secret_configs.map((sds) => {
      const certificate = this.#secret(sds)?.tls_certificate;
      return certificate && this.#sources.leaf(certificate, sds.name);
    });
    return [...inline, ...bySds].filter((one) => one !== undefined);
  }

  #rootsOf(config: CommonTlsContext): readonly SourcedCertificate[] {
    const combined = config.combined_validation_context;
    const sds = config.validation_context_sds_secret_config ?? combined?.validation_context_sds_secret_config;
    const own = config.validation_context ?? combined?.default_validation_context;
    const secret = sds && this.#secret(sds)?.validation_context;
    const bySds = secret && this.#rootsIn(secret, sds.name);
    return bySds?.length ? bySds : own === undefined ? [] : this.#rootsIn(own, undefined);
  }

  /** `name`: of the secret. */
  #rootsIn(context: CertificateValidationContext, name: string | undefined): readonly SourcedCertificate[] {
    let roots = this.#roots.get(context);
    if (roots === undefined) this.#roots.set(context, (roots = this.#readRoots(context, name)));
    return roots;
  }

  #readRoots(context: CertificateValidationContext, name: string | undefined): readonly SourcedCertificate[] {
    const domains = trustDomainsOf(context, '');
    if (domains === undefined) return this.#sources.all(context.trusted_ca, name ?? UNNAMED_ROOTS, '');
    const roots = domains.flatMap((domain) => this.#sources.all(domain.trust_bundle, '', `${domain.name}: `));
    return roots.map((one, index) => one.named(`${name ?? 'unnamed_ca_cert'}_${index}`));
  }

  #secret({ name, sds_config: source }: SdsSecretConfig): Secret | undefined {
    const bytes = this.#store.secrets.servingOf(resourceKey(source, name))?.bytes;
    if (bytes === undefined) return undefined;
    let secret = this.#secrets.get(bytes);
    if (secret === undefined) this.#secrets.set(bytes, (secret = decode(TYPE_NAMES.secret, bytes)));
    return secret;
  }
}

function addUse(
  uses: Map<string, CertificateUse>,
  role: CertificateUse['role'],
  certificate: SourcedCertificate,
  user: CertificateUser,
): void {
  const { serialNumber, subject, issuer, path, statName: given } = certificate;
  const key = [role, serialNumber, issuer, path, given].join(' ');
  let use = uses.get(key);
  if (use === undefined) {
    const { subjectAltNames, validFromMs, expiresMs } = certificate;
    const name = subjectAltNames[0] ?? subject;
    const secret = given.startsWith('unnamed_') ? '' : given;
    use = {
      name,
      role,
      subject,
      issuer,
      serialNumber,
      subjectAltNames,
      secret,
      path,
      validFromMs,
      expiresMs,
      usedBy: [],
    };
    uses.set(key, use);
  }
  if (!use.usedBy.some(({ kind, name }) => kind === user.kind && name === user.name)) use.usedBy.push(user);
}

function listenerContexts(bytes: Uint8Array): readonly TlsContext[] {
  const listener = decode(TYPE_NAMES.listener, bytes);
  const chains = [...listener.filter_chains, listener.default_filter_chain];
  const prefix = `listener.${listenerStatName(listener, '')}.ssl.`;
  const user = { kind: 'listener', name: listener.name } as const;
  return chains.flatMap((chain) => tlsContext(chain?.transport_socket, prefix, user));
}

function clusterContexts(bytes: Uint8Array): readonly TlsContext[] {
  const cluster = decode(TYPE_NAMES.cluster, bytes);
  const prefix = `cluster.${statName(cluster)}.ssl.`;
  const user = { kind: 'cluster', name: cluster.name } as const;
  return [
    ...tlsContext(cluster.transport_socket, prefix, user),
    ...cluster.transport_socket_matches.flatMap((match) => tlsContext(match.transport_socket, prefix, user)),
  ];
}

/** A context without anything in it is one, too. */
function tlsContext(
  socket: TransportSocket | undefined,
  statPrefix: string,
  user: CertificateUser,
): readonly TlsContext[] {
  if (!socket?.typed_config?.type_url.endsWith(TLS_CONTEXT)) return NO_CONTEXTS;
  const { message } = decodeAny(socket.typed_config);
  const { common_tls_context: common } = message as { readonly common_tls_context?: CommonTlsContext };
  const config = common ?? create('envoy.extensions.transport_sockets.tls.v3.CommonTlsContext');
  return [{ user, statPrefix, config }];
}
