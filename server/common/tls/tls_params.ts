// TLS versions, cipher suites, curves and signature algorithms, from BoringSSL's names (which Envoy's configuration uses)
// to node's options. Envoy: source/common/tls/context_impl.cc, context_config_impl.cc; TlsParameters in tls/v3/common.proto.

import type { SecureVersion } from 'node:tls';
import type { TlsParameters } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';

/** What goes into a SecureContext, and `key`, which is equal for equal parameters. */
export interface TlsParams {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  readonly ciphers: string;
  readonly ecdhCurve: string;
  readonly sigalgs: string | undefined;
  readonly key: string;
}

/** Defaults that differ between servers and clients. Source: Server/ClientContextConfigImpl. */
export const SERVER_MAX_VERSION = 'TLSv1.3';
export const CLIENT_MAX_VERSION = 'TLSv1.2';
const MIN_VERSION = 'TLSv1.2';

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLSv1_0: 'TLSv1',
  TLSv1_1: 'TLSv1.1',
  TLSv1_2: 'TLSv1.2',
  TLSv1_3: 'TLSv1.3',
};

/** Always on with TLS 1.3, in BoringSSL's order on machines with AES instructions. */
const TLS_1_3_SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** ContextConfigImpl's DEFAULT_CIPHER_SUITES. */
const DEFAULT_CIPHER_SUITES = [
  '[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]',
  '[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
];

/** What BoringSSL knows, by its OpenSSL name, with the standard name (without `TLS_` and `_WITH`). */
const CIPHER_SUITES: Readonly<Record<string, string>> = {
  'ECDHE-ECDSA-AES128-GCM-SHA256': 'ECDHE_ECDSA_AES_128_GCM_SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256': 'ECDHE_RSA_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384': 'ECDHE_ECDSA_AES_256_GCM_SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384': 'ECDHE_RSA_AES_256_GCM_SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305': 'ECDHE_ECDSA_CHACHA20_POLY1305_SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305': 'ECDHE_RSA_CHACHA20_POLY1305_SHA256',
  'ECDHE-RSA-AES128-SHA256': 'ECDHE_RSA_AES_128_CBC_SHA256',
  'ECDHE-ECDSA-AES128-SHA': 'ECDHE_ECDSA_AES_128_CBC_SHA',
  'ECDHE-RSA-AES128-SHA': 'ECDHE_RSA_AES_128_CBC_SHA',
  'ECDHE-ECDSA-AES256-SHA': 'ECDHE_ECDSA_AES_256_CBC_SHA',
  'ECDHE-RSA-AES256-SHA': 'ECDHE_RSA_AES_256_CBC_SHA',
  'AES128-GCM-SHA256': 'RSA_AES_128_GCM_SHA256',
  'AES256-GCM-SHA384': 'RSA_AES_256_GCM_SHA384',
  'AES128-SHA': 'RSA_AES_128_CBC_SHA',
  'AES256-SHA': 'RSA_AES_256_CBC_SHA',
};
const BY_STANDARD_NAME = new Map(Object.entries(CIPHER_SUITES).map(([name, standard]) => [standard, name]));

const CURVES = new Set(['P-256', 'P-384', 'P-521', 'X25519', 'X25519MLKEM768']);
/** DEFAULT_CURVES of Envoy 1.40. */
const DEFAULT_CURVES = ['X25519MLKEM768', 'X25519', 'P-256'];

const SIGNATURE_ALGORITHMS = new Set([
  'rsa_pkcs1_sha1',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
  'ecdsa_sha1',
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'ed25519',
]);

/** In place of everything that is configured. Source: BoringSSL's ssl_compliance_policy_fips_202205. */
const FIPS_202205: TlsParams = withKey({
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
  ecdhCurve: 'P-256:P-384',
  sigalgs: [
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
  ].join(':'),
});

/** Throws ConfigError for names that BoringSSL would refuse, with Envoy's words. */
export function compileTlsParams(
  config: TlsParameters | undefined,
  defaultMaxVersion: SecureVersion,
  path: string,
): TlsParams {
  if (config?.compliance_policies.includes('FIPS_202205')) return FIPS_202205;
  const minVersion = VERSIONS[String(config?.tls_minimum_protocol_version)] ?? MIN_VERSION;
  const maxVersion = VERSIONS[String(config?.tls_maximum_protocol_version)] ?? defaultMaxVersion;
  const params = {
    minVersion,
    maxVersion,
    ciphers: ciphers(config?.cipher_suites ?? [], minVersion, at(path, 'cipher_suites')),
    ecdhCurve: curves(config?.ecdh_curves ?? [], at(path, 'ecdh_curves')),
    sigalgs: signatureAlgorithms(config?.signature_algorithms ?? [], at(path, 'signature_algorithms')),
  };
  return withKey(params);
}

function withKey(params: Omit<TlsParams, 'key'>): TlsParams {
  return Object.freeze({ ...params, key: JSON.stringify(params) });
}

/** Groups of equal preference (`[A|B]`), which OpenSSL lacks, become A before B. */
function ciphers(configured: readonly string[], minVersion: SecureVersion, path: string): string {
  const suites = (configured.length === 0 ? DEFAULT_CIPHER_SUITES : configured).flatMap((entry) =>
    entry.split(':'),
  );
  const names: string[] = [];
  const rejected: string[] = [];
  for (const suite of suites) {
    const group = suite.startsWith('[') && suite.endsWith(']') ? suite.slice(1, -1).split('|') : [suite];
    const known = group.map(cipherName);
    if (known.includes(undefined)) rejected.push(suite);
    else names.push(...(known as string[]));
  }
  if (rejected.length > 0) {
    throw new ConfigError(
      path,
      `Failed to initialize cipher suites ${configured.join(':')}. The following ciphers were rejected when tried individually: ${rejected.join(', ')}`,
    );
  }
  // OpenSSL allows TLS 1.0 and 1.1 on its lowest security level only.
  if (minVersion === 'TLSv1' || minVersion === 'TLSv1.1') names.push('@SECLEVEL=0');
  return [...TLS_1_3_SUITES, ...names].join(':');
}

function cipherName(suite: string): string | undefined {
  if (suite in CIPHER_SUITES) return suite;
  return suite.startsWith('TLS_') ? BY_STANDARD_NAME.get(suite.slice(4).replace('_WITH', '')) : undefined;
}

function curves(configured: readonly string[], path: string): string {
  const names = (configured.length === 0 ? DEFAULT_CURVES : configured).flatMap((entry) => entry.split(':'));
  if (names.every((name) => CURVES.has(name))) return names.join(':');
  throw new ConfigError(path, `Failed to initialize ECDH curves ${configured.join(':')}`);
}

function signatureAlgorithms(configured: readonly string[], path: string): string | undefined {
  const names = configured.flatMap((entry) => entry.split(':'));
  if (names.length === 0) return undefined;
  if (names.every((name) => SIGNATURE_ALGORITHMS.has(name))) return names.join(':');
  throw new ConfigError(path, `Failed to initialize TLS signature algorithms ${configured.join(':')}`);
}
