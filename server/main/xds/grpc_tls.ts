// The TLS side of a connection to a control plane: an UpstreamTlsContext as grpc-js credentials.
// Envoy's rule holds: only what is configured is verified (no validation context, no verification).
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl

import type { ChannelCredentials } from '@grpc/grpc-js';
import type { TransportSocket } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  CommonTlsContext,
  UpstreamTlsContext,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { TlsCertificateSecret } from '../../api/secret.ts';
import { crypto } from '../../common/builtins.ts';
import { readDataSource } from '../../common/config/data_source.ts';
import { compileTlsCertificate, compileValidationContext } from '../../common/secret/secret_config.ts';
import { CONFIGURED_NAMES, compileValidator } from '../../common/tls/certificate_validator.ts';
import { secureContext } from '../../common/tls/secure_context.ts';
import { CLIENT_MAX_VERSION, compileTlsParams } from '../../common/tls/tls_params.ts';
import { trustStore } from '../../common/tls/trust_store.ts';
import { grpcJs } from './grpc.ts';
import type { InProcessServer } from './in_process_server.ts';

const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const NO_TRUST = trustStore('', '');

export interface GrpcTls {
  /** '' when none is configured. */
  readonly sni: string;
  /** Of the certificates as they are now; the same object while they are the same. Throws ConfigError when they cannot be read. */
  credentials(): ChannelCredentials;
}

/** Undefined for plaintext. Throws ConfigError for what a connection to a control plane cannot honour. */
export function compileGrpcTls(
  socket: TransportSocket | undefined,
  secrets: InProcessServer | undefined,
  path: string,
): GrpcTls | undefined {
  if (socket?.typed_config === undefined) return undefined;
  const where = at(path, 'typed_config');
  const { typeName, message } = decodeAny(socket.typed_config, where);
  if (typeName === RAW_BUFFER) return undefined;
  if (typeName !== UPSTREAM_TLS) {
    throw new ConfigError(path, `a cluster with transport socket ${typeName} cannot carry xDS`);
  }
  const context = message as object as UpstreamTlsContext;
  const common = context.common_tls_context;
  const commonPath = at(where, 'common_tls_context');
  if (common !== undefined) rejectUnsupported(common, secrets, commonPath);
  createCredentials(common, inlineCertificates(common, commonPath), commonPath);
  const caPath = at(commonPath, 'validation_context.trusted_ca');
  const read = () => ({
    certificates: [
      ...inlineCertificates(common, commonPath),
      ...sdsCertificates(common, secrets, commonPath),
    ],
    trustedCa: readDataSource(common?.validation_context?.trusted_ca, caPath)?.toString(),
  });
  const create = ({ certificates }: ReturnType<typeof read>) =>
    createCredentials(common, certificates, commonPath);
  return { sni: context.sni, credentials: currentCredentials(read, create) };
}

/** Makes credentials anew when what they are made of has changed, and only then. */
export function currentCredentials<Parts>(
  read: () => Parts,
  create: (parts: Parts) => ChannelCredentials,
): () => ChannelCredentials {
  let key = '';
  let latest: ChannelCredentials | undefined;
  return () => {
    const parts = read();
    const now = JSON.stringify(parts);
    if (latest === undefined || now !== key) {
      latest = create(parts);
      key = now;
    }
    return latest;
  };
}

function inlineCertificates(common: CommonTlsContext | undefined, path: string): TlsCertificateSecret[] {
  return (common?.tls_certificates ?? []).map((certificate, index) =>
    compileTlsCertificate(certificate, at(at(path, 'tls_certificates'), index)),
  );
}

/** Those that are made in this process. Throws ConfigError for one that is not there yet. */
function sdsCertificates(
  common: CommonTlsContext | undefined,
  secrets: InProcessServer | undefined,
  path: string,
): TlsCertificateSecret[] {
  return (common?.tls_certificate_sds_secret_configs ?? []).map(({ name }, index) => {
    const where = at(at(path, 'tls_certificate_sds_secret_configs'), index);
    const secret = secrets?.secret(name);
    if (secret === undefined || secret === 'pending' || secret.tls_certificate === undefined) {
      throw new ConfigError(where, `there is no certificate '${name}' yet`);
    }
    return compileTlsCertificate(secret.tls_certificate, where);
  });
}

function createCredentials(
  common: CommonTlsContext | undefined,
  certificates: readonly TlsCertificateSecret[],
  path: string,
): ChannelCredentials {
  const validationPath = at(path, 'validation_context');
  const validation = common?.validation_context;
  const validator =
    validation === undefined
      ? undefined
      : compileValidator([compileValidationContext(validation, validationPath)], 'server', validationPath);
  const context = secureContext({
    params: compileTlsParams(common?.tls_params, CLIENT_MAX_VERSION, at(path, 'tls_params')),
    certificates,
    trust: validator?.trust ?? NO_TRUST,
    ticketKey: undefined,
    secureOptions: 0,
    honorCipherOrder: false,
    sessionTimeout: undefined,
  });
  const verifies = validator !== undefined && validator.trust.caPem !== '' && !validator.acceptUntrusted;
  return grpcJs().credentials.createFromSecureContext(context, {
    rejectUnauthorized: verifies,
    // Node asks here for the names only after it has found the chain good.
    checkServerIdentity: (_host, peer) => {
      const failure = verifies
        ? validator.verify(new crypto.X509Certificate(peer.raw), undefined, CONFIGURED_NAMES)
        : undefined;
      return failure && new Error(failure.reason);
    },
  });
}

/** What grpc-js cannot be told, or what only the data plane's secrets have; passed over, each would weaken the connection. */
function rejectUnsupported(
  common: CommonTlsContext,
  secrets: InProcessServer | undefined,
  path: string,
): void {
  const absent = [
    'tls_certificate_certificate_provider',
    'tls_certificate_certificate_provider_instance',
    'tls_certificate_provider_instance',
    'validation_context_certificate_provider',
    'validation_context_certificate_provider_instance',
    'validation_context_sds_secret_config',
    'combined_validation_context',
    'custom_handshaker',
    'custom_tls_certificate_selector',
    'key_log',
  ] as const;
  for (const field of absent) if (common[field] !== undefined) throw unsupported(at(path, field));
  common.tls_certificate_sds_secret_configs.forEach(({ sds_config: source }, index) => {
    const cluster = source?.api_config_source?.grpc_services[0]?.envoy_grpc?.cluster_name;
    if (secrets === undefined || cluster !== secrets.cluster) {
      throw unsupported(at(at(path, 'tls_certificate_sds_secret_configs'), index));
    }
  });
  const validation = common.validation_context;
  if (validation === undefined) return;
  const where = at(path, 'validation_context');
  // Of the chain node passes on the peer's own certificate alone.
  for (const field of [
    'allow_expired_certificate',
    'only_verify_leaf_cert_crl',
    'max_verify_depth',
    'custom_validator_config',
  ] as const) {
    if (validation[field]) throw unsupported(at(where, field));
  }
  // Node shows the certificate only when its chain is good: without roots a hash would never be looked at.
  for (const field of ['verify_certificate_hash', 'verify_certificate_spki'] as const) {
    if (validation[field].length > 0 && validation.trusted_ca === undefined) {
      throw new ConfigError(at(where, field), 'needs a trusted_ca on the connection to a control plane');
    }
  }
}

function unsupported(path: string): ConfigError {
  return new ConfigError(path, 'not supported on the connection to a control plane');
}
