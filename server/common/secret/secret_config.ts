// Turns a Secret message into what TLS and filters use, and refuses what could not work: garbage instead of PEM, a key
// that is not the certificate's, ticket keys of a wrong size. Main runs it before a secret serves, workers to use it.
// Envoy: source/common/secret/, source/common/tls/context_impl.cc; document: transport_sockets/tls/v3/{common,secret}.proto.

import type { KeyObject, X509Certificate } from 'node:crypto';
import type {
  CertificateValidationContext,
  GenericSecret,
  Secret as SecretMessage,
  TlsCertificate,
  TlsSessionTicketKeys,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type {
  GenericSecret as CompiledGenericSecret,
  Secret,
  SecretKind,
  SessionTicketKeysSecret,
  TlsCertificateSecret,
  ValidationContextSecret,
} from '../../api/secret.ts';
import { crypto } from '../builtins.ts';
import { readDataSource } from '../config/data_source.ts';

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
  // node has no way to staple to a TLS socket that it did not accept itself.
  if (config.ocsp_staple !== undefined)
    throw new ConfigError(at(path, 'ocsp_staple'), 'OCSP stapling is not supported');
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
  const leaf = certificates(certificateChainPem, 'Failed to load certificate chain from', chainPath)[0]!;
  const key = privateKey(privateKeyPem, password, keyPath);
  if (!leaf.checkPrivateKey(key)) {
    throw new ConfigError(keyPath, 'Failed to load private key from <inline>, Cause: KEY_VALUES_MISMATCH');
  }
  return Object.freeze({ kind: 'tls_certificate', certificateChainPem, privateKeyPem, password });
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
    certificates(trustedCaPem, 'Failed to load trusted CA certificates from', caPath);
  }
  if (config.crl !== undefined && !crlPem.includes('-----BEGIN X509 CRL-----')) {
    throw new ConfigError(at(path, 'crl'), 'Failed to load CRL from <inline>');
  }
  return Object.freeze({ kind: 'validation_context', trustedCaPem, crlPem, config });
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
function certificates(pem: string, reason: string, path: string): X509Certificate[] {
  const blocks = pem.match(
    /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g,
  );
  if (blocks === null) throw new ConfigError(path, `${reason} <inline>`);
  try {
    return blocks.map((block) => new crypto.X509Certificate(block));
  } catch {
    throw new ConfigError(path, `${reason} <inline>`);
  }
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
