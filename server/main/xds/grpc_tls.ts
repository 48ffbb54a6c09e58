// The TLS side of a connection to a control plane: an UpstreamTlsContext as grpc-js credentials, with Envoy's rule that
// only what is configured is verified: no trusted_ca, no chain; no SAN matchers, no names.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl

import { createHash, X509Certificate } from 'node:crypto';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import type { TransportSocket } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  CertificateValidationContext,
  CommonTlsContext,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  UpstreamTlsContext,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StringMatcher } from '../../common/matcher/string_matcher.ts';
import { compileStringMatcher } from '../../common/matcher/string_matcher.ts';
import { checkDataSource, readDataSource } from './data_source.ts';

const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';

export interface GrpcTls {
  /** '' sends none. */
  readonly sni: string;
  /** Reads the certificates as they are now. Throws ConfigError when they cannot be read. */
  credentials(): ChannelCredentials;
}

/** Undefined for plaintext. Throws ConfigError for what a connection to a control plane cannot honour. */
export function compileGrpcTls(socket: TransportSocket | undefined, path: string): GrpcTls | undefined {
  if (socket?.typed_config === undefined) return undefined;
  const { typeName, message } = decodeAny(socket.typed_config, at(path, 'typed_config'));
  if (typeName === RAW_BUFFER) return undefined;
  if (typeName !== UPSTREAM_TLS) {
    throw new ConfigError(path, `a cluster with transport socket ${typeName} cannot carry xDS`);
  }
  const context = message as object as UpstreamTlsContext;
  const common = context.common_tls_context;
  const commonPath = at(at(path, 'typed_config'), 'common_tls_context');
  if (common !== undefined) checkSupported(common, commonPath);
  const validation = common?.validation_context;
  const verify = compileVerification(validation, at(commonPath, 'validation_context'));
  const certificate = common?.tls_certificates[0];
  return {
    sni: context.sni,
    credentials: () => {
      const params = common?.tls_params;
      const options: SecureContextOptions = {
        ca: readDataSource(validation?.trusted_ca, at(commonPath, 'validation_context.trusted_ca')),
        crl: readDataSource(validation?.crl, at(commonPath, 'validation_context.crl')),
        cert: readDataSource(
          certificate?.certificate_chain,
          at(commonPath, 'tls_certificates[0].certificate_chain'),
        ),
        key: readDataSource(certificate?.private_key, at(commonPath, 'tls_certificates[0].private_key')),
        passphrase: readDataSource(
          certificate?.password,
          at(commonPath, 'tls_certificates[0].password'),
        )?.toString(),
        minVersion: tlsVersion(params?.tls_minimum_protocol_version) ?? 'TLSv1.2',
        maxVersion: tlsVersion(params?.tls_maximum_protocol_version) ?? 'TLSv1.3',
      };
      return credentials.createFromSecureContext(createSecureContext(options), {
        rejectUnauthorized: validation?.trusted_ca !== undefined,
        checkServerIdentity: (_host, peer) => verify(peer),
      });
    },
  };
}

const UNSUPPORTED_COMMON = [
  'tls_certificate_certificate_provider',
  'validation_context_certificate_provider',
  'tls_certificate_certificate_provider_instance',
  'validation_context_certificate_provider_instance',
  'tls_certificate_provider_instance',
  'custom_handshaker',
  'custom_tls_certificate_selector',
  'key_log',
  'combined_validation_context',
  'validation_context_sds_secret_config',
] as const;

const UNSUPPORTED_VALIDATION = [
  'custom_validator_config',
  'ca_certificate_provider_instance',
  'system_root_certs',
  'max_verify_depth',
  'require_signed_certificate_timestamp',
] as const;

/** What would weaken or change the connection when it were passed over. */
function checkSupported(common: CommonTlsContext, path: string): void {
  for (const field of UNSUPPORTED_COMMON) {
    if (common[field] !== undefined) throw unsupported(at(path, field));
  }
  if (common.tls_certificate_sds_secret_configs.length > 0) {
    throw unsupported(at(path, 'tls_certificate_sds_secret_configs'));
  }
  if (common.tls_certificates.length > 1) throw unsupported(at(at(path, 'tls_certificates'), 1));
  const params = common.tls_params;
  for (const field of [
    'cipher_suites',
    'ecdh_curves',
    'signature_algorithms',
    'compliance_policies',
  ] as const) {
    if (params !== undefined && params[field].length > 0)
      throw unsupported(at(at(path, 'tls_params'), field));
  }
  const certificate = common.tls_certificates[0];
  for (const field of ['private_key_provider', 'pkcs12'] as const) {
    if (certificate?.[field] !== undefined) throw unsupported(at(at(path, 'tls_certificates[0]'), field));
  }
  for (const field of ['certificate_chain', 'private_key', 'password'] as const) {
    checkDataSource(certificate?.[field], at(at(path, 'tls_certificates[0]'), field));
  }
  const validation = common.validation_context;
  for (const field of UNSUPPORTED_VALIDATION) {
    if (validation?.[field] !== undefined) throw unsupported(at(at(path, 'validation_context'), field));
  }
  for (const field of ['trusted_ca', 'crl'] as const) {
    checkDataSource(validation?.[field], at(at(path, 'validation_context'), field));
  }
  if (validation?.allow_expired_certificate)
    throw unsupported(at(path, 'validation_context.allow_expired_certificate'));
}

function unsupported(path: string): ConfigError {
  return new ConfigError(path, 'not supported on the connection to a control plane');
}

function tlsVersion(version: TlsParameters_TlsProtocol | undefined): SecureContextOptions['minVersion'] {
  switch (version) {
    case 'TLSv1_0':
      return 'TLSv1';
    case 'TLSv1_1':
      return 'TLSv1.1';
    case 'TLSv1_2':
      return 'TLSv1.2';
    case 'TLSv1_3':
      return 'TLSv1.3';
    default:
      return undefined;
  }
}

interface SanCheck {
  /** The prefix of such a name in X509Certificate.subjectAltName; undefined matches any kind. */
  readonly prefix: string | undefined;
  readonly matcher: StringMatcher;
}

const SAN_PREFIXES: Readonly<Record<string, string>> = {
  DNS: 'DNS:',
  URI: 'URI:',
  EMAIL: 'email:',
  IP_ADDRESS: 'IP Address:',
};

function compileVerification(
  validation: CertificateValidationContext | undefined,
  path: string,
): (peer: PeerCertificate) => Error | undefined {
  const sans = validation === undefined ? [] : sanChecks(validation, path);
  const hashes = new Set(
    validation?.verify_certificate_hash.map((hash) => hash.replaceAll(':', '').toLowerCase()),
  );
  const spkis = new Set(validation?.verify_certificate_spki);
  return (peer) => {
    const certificate = new X509Certificate(peer.raw);
    if (sans.length > 0 && !sanMatches(certificate, sans)) {
      return new Error(`verify cert failed: SAN matcher: ${certificate.subjectAltName ?? 'no names'}`);
    }
    if (hashes.size === 0 && spkis.size === 0) return undefined;
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    if (spkis.has(createHash('sha256').update(spki).digest('base64'))) return undefined;
    if (hashes.has(createHash('sha256').update(certificate.raw).digest('hex'))) return undefined;
    return new Error('verify cert failed: cert hash and spki');
  };
}

function sanChecks(validation: CertificateValidationContext, path: string): SanCheck[] {
  const typed = validation.match_typed_subject_alt_names.map(({ san_type, matcher }, index) => {
    const where = at(at(path, 'match_typed_subject_alt_names'), index);
    return {
      prefix: sanPrefix(san_type, where),
      matcher: compileStringMatcher(matcher!, at(where, 'matcher')),
    };
  });
  const untyped = validation.match_subject_alt_names.map((matcher, index) => ({
    prefix: undefined,
    matcher: compileStringMatcher(matcher, at(at(path, 'match_subject_alt_names'), index)),
  }));
  return [...typed, ...untyped];
}

function sanPrefix(type: SubjectAltNameMatcher_SanType, path: string): string {
  const prefix = SAN_PREFIXES[type];
  if (prefix === undefined) throw unsupported(at(path, 'san_type'));
  return prefix;
}

/** Node quotes a name that holds a comma or a quote, as JSON: so a name cannot pretend to be two. */
const SAN = /(?:^|, )([A-Za-z ]+:)("(?:[^"\\]|\\.)*"|[^,]*)/gy;

function sanMatches(certificate: X509Certificate, checks: readonly SanCheck[]): boolean {
  for (const [, prefix, raw] of (certificate.subjectAltName ?? '').matchAll(SAN)) {
    const name = raw!.startsWith('"') ? (JSON.parse(raw!) as string) : raw!;
    for (const check of checks) {
      if ((check.prefix === undefined || check.prefix === prefix) && check.matcher.match(name)) return true;
    }
  }
  return false;
}
