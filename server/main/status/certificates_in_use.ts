// The certificates and trusted roots of the TLS contexts that serve, for /certs and for `days_until_first_cert_expiring`:
// found in the messages of the active listeners and clusters, their secrets where SDS says they are.
// Envoy: source/server/admin/server_info_handler.cc (handlerCerts), source/common/tls/context_impl.cc.

import type { X509Certificate } from 'node:crypto';
import type {
  Certificate,
  CertificateDetails,
  SubjectAlternateName,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { DataSource, TransportSocket } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  CommonTlsContext,
  SdsSecretConfig,
  Secret,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { create, decode, decodeAny, type Init } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import { crypto } from '../../common/builtins.ts';
import { readDataSource } from '../../common/config/data_source.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { type SubjectAltName, subjectAltNames } from '../../common/tls/subject_alt_name.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';

const DAY_MS = 86_400_000;
const PEM = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[\s\S]*?-----END [A-Z0-9 ]*CERTIFICATE-----/g;
const NO_CONTEXTS: readonly CommonTlsContext[] = Object.freeze([]);
/** In the type URL of every TLS context; most clusters have none, and need not be decoded to know it. */
const TLS_CONTEXT = 'TlsContext';

export class CertificatesInUse {
  readonly #store: ConfigStore;
  /** By the bytes of their listener or cluster, which never change. */
  readonly #contexts = new WeakMap<Uint8Array, readonly CommonTlsContext[]>();

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  /** One per certificate chain or set of roots, each once however many contexts use it. */
  all(): Certificate[] {
    const found = new Map<string, Certificate>();
    for (const context of this.#activeContexts()) {
      for (const part of this.#certificatesOf(context)) {
        const key = [...part.cert_chain, ...part.ca_cert].map((one) => one.serial_number + one.path).join();
        if (!found.has(key)) found.set(key, part);
      }
    }
    return [...found.values()];
  }

  /** Whole days, not below 0; undefined when no certificate is in use. */
  daysUntilFirstExpiring(): number | undefined {
    let first: number | undefined;
    for (const { ca_cert, cert_chain } of this.all()) {
      for (const { days_until_expiration: days } of [...ca_cert, ...cert_chain]) {
        if (first === undefined || Number(days) < first) first = Number(days);
      }
    }
    return first;
  }

  *#activeContexts(): Generator<CommonTlsContext> {
    for (const { active } of this.#store.listeners.all) {
      if (active !== undefined) yield* this.#contextsIn(active.bytes, listenerSockets);
    }
    for (const { active } of this.#store.clusters.all) {
      if (active !== undefined) yield* this.#contextsIn(active.bytes, clusterSockets);
    }
  }

  #contextsIn(
    bytes: Uint8Array,
    socketsOf: (bytes: Uint8Array) => readonly (TransportSocket | undefined)[],
  ): readonly CommonTlsContext[] {
    let contexts = this.#contexts.get(bytes);
    if (contexts === undefined) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      contexts = text.includes(TLS_CONTEXT) ? socketsOf(bytes).flatMap(tlsContext) : NO_CONTEXTS;
      this.#contexts.set(bytes, contexts);
    }
    return contexts;
  }

  *#certificatesOf(context: CommonTlsContext): Generator<Certificate> {
    const certificates = context.tls_certificates.map((each) => each.certificate_chain);
    for (const sds of context.tls_certificate_sds_secret_configs) {
      certificates.push(this.#secret(sds)?.tls_certificate?.certificate_chain);
    }
    for (const source of certificates) {
      // The leaf, as Envoy shows it.
      const chain = detailsOf(source).slice(0, 1);
      if (chain.length > 0) yield create('envoy.admin.v3.Certificate', { cert_chain: chain });
    }
    const combined = context.combined_validation_context;
    const sds =
      context.validation_context_sds_secret_config ?? combined?.validation_context_sds_secret_config;
    const validation = [
      context.validation_context ?? combined?.default_validation_context,
      sds && this.#secret(sds)?.validation_context,
    ];
    for (const one of validation) {
      const roots = detailsOf(one?.trusted_ca);
      if (roots.length > 0) yield create('envoy.admin.v3.Certificate', { ca_cert: roots });
    }
  }

  #secret({ name, sds_config: source }: SdsSecretConfig): Secret | undefined {
    const serving = this.#store.secrets.servingOf(resourceKey(source, name));
    return serving && decode(TYPE_NAMES.secret, serving.bytes);
  }
}

function listenerSockets(bytes: Uint8Array): readonly (TransportSocket | undefined)[] {
  const listener = decode(TYPE_NAMES.listener, bytes);
  const chains = [...listener.filter_chains, listener.default_filter_chain];
  return chains.map((chain) => chain?.transport_socket);
}

function clusterSockets(bytes: Uint8Array): readonly (TransportSocket | undefined)[] {
  const cluster = decode(TYPE_NAMES.cluster, bytes);
  return [
    cluster.transport_socket,
    ...cluster.transport_socket_matches.map((match) => match.transport_socket),
  ];
}

function tlsContext(socket: TransportSocket | undefined): readonly CommonTlsContext[] {
  if (!socket?.typed_config?.type_url.endsWith(TLS_CONTEXT)) return NO_CONTEXTS;
  const { message } = decodeAny(socket.typed_config);
  const { common_tls_context: common } = message as { readonly common_tls_context?: CommonTlsContext };
  return common === undefined ? NO_CONTEXTS : [common];
}

/** Every certificate of a PEM. What is not there (a file that went) shows nothing; what serves was read before. */
function detailsOf(source: DataSource | undefined): Init<CertificateDetails>[] {
  if (source === undefined) return [];
  let pem: string;
  try {
    pem = readDataSource(source, '')?.toString('utf8') ?? '';
  } catch {
    return [];
  }
  return [...pem.matchAll(PEM)].map(([block]) => details(new crypto.X509Certificate(block), pathOf(source)));
}

function pathOf({ filename }: DataSource): string {
  return filename ?? '<inline>';
}

function details(certificate: X509Certificate, path: string): Init<CertificateDetails> {
  const { validFromDate: from, validToDate: to } = certificate;
  return {
    path,
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: subjectAltNames(certificate).flatMap(nameOf),
    days_until_expiration: BigInt(Math.max(0, Math.floor((to.getTime() - Date.now()) / DAY_MS))),
    valid_from: timestampOf(from.getTime()),
    expiration_time: timestampOf(to.getTime()),
  };
}

function nameOf({ type, value }: SubjectAltName): Init<SubjectAlternateName>[] {
  if (type === 'DNS') return [{ dns: value }];
  if (type === 'URI') return [{ uri: value }];
  return type === 'IP_ADDRESS' ? [{ ip_address: value }] : [];
}
