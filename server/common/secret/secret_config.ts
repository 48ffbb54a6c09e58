// Turns a Secret message into what TLS and filters use, and refuses what could not work: garbage instead of PEM, a key
// that is not the certificate's, ticket keys of a wrong size. Main runs it before a secret serves, workers to use it.
// Envoy: source/common/secret/, source/common/tls/context_impl.cc; document: transport_sockets/tls/v3/{common,secret}.proto.

import type { KeyObject, X509Certificate } from 'node:crypto';
import type {
  CertificateValidationContext,
  GenericSecret,
  Secret as SecretMessage,
  SPIFFECertValidatorConfig,
  SPIFFECertValidatorConfig_TrustDomain,
  TlsCertificate,
  TlsSessionTicketKeys,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type {
  GenericSecret as CompiledGenericSecret,
  OcspStaple,
  Secret,
  SecretKind,
  SessionTicketKeysSecret,
  TlsCertificateSecret,
  TrustDomain,
  ValidationContextSecret,
} from '../../api/secret.ts';
import { crypto } from '../builtins.ts';
import { readDataSource } from '../config/data_source.ts';
import { certificatesOf } from '../tls/certificate_path.ts';
import { DerError, integerHex } from '../tls/der.ts';
import { parseOcspResponse } from '../tls/ocsp_response.ts';
import { RevocationLists } from '../tls/revocation_list.ts';

const SPIFFE_VALIDATOR = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';
/** Envoy's format: 16 bytes name, 32 bytes HMAC key, 32 bytes AES key. */
const TICKET_KEY_BYTES = 80;

/** The kind of a secret, or undefined when the message holds none. */
export function secretKind(secret: SecretMessage): SecretKind | undefined {
  if (secret.tls_certificate !== undefined) return 'tls_certificate';
  if (secret.validation_context !== undefined) return 'validation_context';
  if (secret.session_ticket_keys !== undefined) return 'session_ticket_keys';
  if (secret.generic_secret !== undefined) return 'generic_secret';
  return undefined;
}

/** Throws ConfigError. Files and environment variables are read now. */
export function compileSecret(secret: SecretMessage, path: string): Secret {
  if (secret.tls_certificate !== undefined) {
    return compileTlsCertificate(secret.tls_certificate, at(path, 'tls_certificate'));
  }
  if (secret.validation_context !== undefined) {
    return compileValidationContext(secret.validation_context, at(path, 'validation_context'));
  }
  if (secret.session_ticket_keys !== undefined) {
    return compileTicketKeys(secret.session_ticket_keys, at(path, 'session_ticket_keys'));
  }
  if (secret.generic_secret !== undefined) {
    return compileGenericSecret(secret.generic_secret, at(path, 'generic_secret'));
  }
  throw new ConfigError(
    path,
    'Secret holds no tls_certificate, validation_context, session_ticket_keys or generic_secret',
  );
}

/** Also for the inline certificates of a TLS context. */
export function compileTlsCertificate(config: TlsCertificate, path: string): TlsCertificateSecret {
  if (config.private_key_provider !== undefined) {
    throw new ConfigError(at(path, 'private_key_provider'), 'private key providers are not supported');
  }
  if (config.pkcs12 !== undefined) throw new ConfigError(at(path, 'pkcs12'), 'PKCS #12 is not supported');
  if (config.signed_certificate_timestamp.length > 0) {
    throw new ConfigError(at(path, 'signed_certificate_timestamp'), 'not supported');
  }
  const chainPath = at(path, 'certificate_chain');
  const keyPath = at(path, 'private_key');
  const certificateChainPem = text(readDataSource(config.certificate_chain, chainPath));
  const privateKeyPem = text(readDataSource(config.private_key, keyPath));
  const password = config.password && text(readDataSource(config.password, at(path, 'password')));
  if (certificateChainPem === '')
    throw new ConfigError(chainPath, 'TlsCertificate must have a certificate chain');
  if (privateKeyPem === '') throw new ConfigError(keyPath, 'TlsCertificate must have a private key');
  const leaf = certificates(
    certificateChainPem,
    'Failed to load certificate chain from <inline>',
    chainPath,
  )[0]!;
  const key = privateKey(privateKeyPem, password, keyPath);
  if (!leaf.checkPrivateKey(key)) {
    throw new ConfigError(keyPath, 'Failed to load private key from <inline>, Cause: KEY_VALUES_MISMATCH');
  }
  const ocspStaple = compileOcspStaple(config, leaf, at(path, 'ocsp_staple'));
  return Object.freeze({ kind: 'tls_certificate', certificateChainPem, privateKeyPem, password, ocspStaple });
}

function compileOcspStaple(
  { ocsp_staple: source }: TlsCertificate,
  leaf: X509Certificate,
  path: string,
): OcspStaple | undefined {
  if (source === undefined) return undefined;
  if (source.inline_string !== undefined) {
    throw new ConfigError(path, 'OCSP staple cannot be provided via inline_string');
  }
  const der = readDataSource(source, path) as Buffer;
  const { serialNumber, nextUpdateMs } = readable(() => parseOcspResponse(der), path, '');
  if (serialNumber !== integerHex(Buffer.from(leaf.serialNumber, 'hex'))) {
    throw new ConfigError(path, 'OCSP response does not match its TLS certificate');
  }
  return { der, nextUpdateMs };
}

/** What `read` returns; what DER it cannot read becomes a ConfigError. */
function readable<T>(read: () => T, path: string, reason: string): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DerError) throw new ConfigError(path, reason === '' ? error.message : reason);
    throw error;
  }
}

/** Also for the inline validation context of a TLS context. */
export function compileValidationContext(
  config: CertificateValidationContext,
  path: string,
): ValidationContextSecret {
  const caPath = at(path, 'trusted_ca');
  const trustedCaPem = text(readDataSource(config.trusted_ca, caPath));
  const crlPem = text(readDataSource(config.crl, at(path, 'crl')));
  if (config.trusted_ca !== undefined) {
    certificates(trustedCaPem, 'Failed to load trusted CA certificates from <inline>', caPath);
  }
  const crlReason = 'Failed to load CRL from <inline>';
  readable(() => new RevocationLists(trustedCaPem), caPath, crlReason);
  const lists = readable(() => new RevocationLists(crlPem), at(path, 'crl'), crlReason);
  if (config.crl !== undefined && lists.empty) throw new ConfigError(at(path, 'crl'), crlReason);
  const trustDomains = compileTrustDomains(config, at(path, 'custom_validator_config'));
  return Object.freeze({ kind: 'validation_context', trustedCaPem, crlPem, trustDomains, config });
}

/** The domains of the SPIFFE validator, which is the only custom one there is; undefined for the default. Throws ConfigError. */
export function trustDomainsOf(
  { custom_validator_config: custom }: CertificateValidationContext,
  path: string,
): readonly SPIFFECertValidatorConfig_TrustDomain[] | undefined {
  if (custom?.typed_config === undefined) return undefined;
  const where = at(path, 'typed_config');
  const { typeName, message } = decodeAny(custom.typed_config, where);
  if (typeName !== SPIFFE_VALIDATOR) {
    throw new ConfigError(where, `Failed to get certificate validator factory for ${custom.name}`);
  }
  return (message as object as SPIFFECertValidatorConfig).trust_domains;
}

function compileTrustDomains(
  config: CertificateValidationContext,
  path: string,
): readonly TrustDomain[] | undefined {
  const where = at(path, 'typed_config');
  const names = new Set<string>();
  return trustDomainsOf(config, path)?.map(({ name, trust_bundle: bundle }, index) => {
    const domain = at(at(where, 'trust_domains'), index);
    if (names.has(name)) {
      throw new ConfigError(domain, `Multiple trust bundles are given for one trust domain for ${name}`);
    }
    names.add(name);
    const bundlePath = at(domain, 'trust_bundle');
    const bundlePem = text(readDataSource(bundle, bundlePath));
    const reason = `Failed to load trusted CA certificate for ${name}`;
    certificates(bundlePem, reason, bundlePath);
    readable(() => new RevocationLists(bundlePem), bundlePath, reason);
    return { name, bundlePem };
  });
}

function compileTicketKeys(config: TlsSessionTicketKeys, path: string): SessionTicketKeysSecret {
  const keys = config.keys.map((source, index) => {
    const where = at(at(path, 'keys'), index);
    const key = readDataSource(source, where) as Buffer;
    if (key.length !== TICKET_KEY_BYTES) {
      throw new ConfigError(
        where,
        `Incorrect TLS session ticket key length. Length ${key.length}, expected length ${TICKET_KEY_BYTES}.`,
      );
    }
    return key;
  });
  return Object.freeze({ kind: 'session_ticket_keys', keys });
}

function compileGenericSecret(config: GenericSecret, path: string): CompiledGenericSecret {
  const secrets = new Map<string, Uint8Array>();
  for (const [name, source] of Object.entries(config.secrets)) {
    secrets.set(name, readDataSource(source, at(at(path, 'secrets'), name)) as Buffer);
  }
  // The single secret is found under the empty name.
  const single = readDataSource(config.secret, at(path, 'secret'));
  if (single !== undefined) secrets.set('', single);
  return Object.freeze({ kind: 'generic_secret', secrets });
}

/** The certificates of a PEM text. Throws ConfigError when there is none or one cannot be read. */
function certificates(pem: string, reason: string, path: string): readonly X509Certificate[] {
  try {
    const found = certificatesOf(pem);
    if (found.length > 0) return found;
  } catch {
    // The same as none.
  }
  throw new ConfigError(path, reason);
}

function privateKey(pem: string, password: string | undefined, path: string): KeyObject {
  try {
    return crypto.createPrivateKey({ key: pem, format: 'pem', passphrase: password });
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ConfigError(path, `Failed to load private key from <inline>, Cause: ${cause}`);
  }
}

function text(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('utf8');
}
