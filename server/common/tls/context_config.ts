// What downstream and upstream TLS contexts have in common: parameters, ALPN, where certificates and trusted roots come
// from. Secrets are read anew at each handshake, so a rotation needs nothing but a new value in its provider.
// Envoy: source/common/tls/context_config_impl.cc; CommonTlsContext in tls/v3/tls.proto.

import type {
  CertificateValidationContext,
  CommonTlsContext,
  SdsSecretConfig,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext, Provider } from '../../api/registry.ts';
import type { Secret, TlsCertificateSecret, ValidationContextSecret } from '../../api/secret.ts';
import { compileTlsCertificate, compileValidationContext } from '../secret/secret_config.ts';
import type { PeerRole } from './certificate_path.ts';
import { type CertificateValidator, compileValidator } from './certificate_validator.ts';
import { CLIENT_MAX_VERSION, compileTlsParams, SERVER_MAX_VERSION, type TlsParams } from './tls_params.ts';
import { type TrustStore, trustStore } from './trust_store.ts';

const NO_TRUST = trustStore('', '');

/** Where the rules for peers' certificates come from. */
export interface ValidationSource {
  /** Undefined until its secret came, or while it could not be used. */
  readonly current: CertificateValidator | undefined;
}

export class CommonTlsConfig {
  readonly params: TlsParams;
  readonly alpnProtocols: readonly string[];
  readonly certificateProviders: readonly Provider<Secret>[];
  /** Undefined when peers are not verified. */
  readonly validation: ValidationSource | undefined;

  /** `peer`: what the other side is. Throws ConfigError. */
  constructor(config: CommonTlsContext | undefined, peer: PeerRole, context: FactoryContext, path: string) {
    if (config !== undefined) rejectUnsupported(config, path);
    const maxVersion = peer === 'client' ? SERVER_MAX_VERSION : CLIENT_MAX_VERSION;
    this.params = compileTlsParams(config?.tls_params, maxVersion, at(path, 'tls_params'));
    this.alpnProtocols = alpnProtocols(config?.alpn_protocols ?? [], at(path, 'alpn_protocols'));
    this.certificateProviders = config === undefined ? [] : certificateProviders(config, context, path);
    this.validation = config === undefined ? undefined : validationSource(config, peer, context, path);
  }

  /** True when every secret is there. */
  ready(): boolean {
    if (this.validation !== undefined && this.validation.current === undefined) return false;
    return this.certificateProviders.every(({ current }) => current !== undefined);
  }

  /** The certificates as they are now. */
  certificates(): TlsCertificateSecret[] {
    const found: TlsCertificateSecret[] = [];
    for (const { current } of this.certificateProviders) {
      if (current?.kind === 'tls_certificate') found.push(current);
    }
    return found;
  }

  get trust(): TrustStore {
    return this.validation?.current?.trust ?? NO_TRUST;
  }
}

function rejectUnsupported(config: CommonTlsContext, path: string): void {
  const fields = [
    'tls_certificate_certificate_provider',
    'tls_certificate_certificate_provider_instance',
    'tls_certificate_provider_instance',
    'validation_context_certificate_provider',
    'validation_context_certificate_provider_instance',
    'custom_handshaker',
    'custom_tls_certificate_selector',
    'key_log',
  ] as const;
  for (const field of fields) {
    if (config[field] !== undefined) throw new ConfigError(at(path, field), 'not supported');
  }
}

/** Each 1 to 255 bytes: that is what fits into the extension. */
function alpnProtocols(configured: readonly string[], path: string): readonly string[] {
  for (const protocol of configured) {
    const length = Buffer.byteLength(protocol);
    if (length === 0 || length > 255) throw new ConfigError(path, 'Invalid ALPN protocol string');
  }
  return configured;
}

function certificateProviders(
  config: CommonTlsContext,
  context: FactoryContext,
  path: string,
): readonly Provider<Secret>[] {
  if (config.tls_certificates.length > 0) {
    return config.tls_certificates.map((certificate, index) => ({
      name: '',
      current: compileTlsCertificate(certificate, at(at(path, 'tls_certificates'), index)),
    }));
  }
  return config.tls_certificate_sds_secret_configs.map((sds, index) =>
    context.secret(sds, 'tls_certificate', at(at(path, 'tls_certificate_sds_secret_configs'), index)),
  );
}

function validationSource(
  config: CommonTlsContext,
  peer: PeerRole,
  context: FactoryContext,
  path: string,
): ValidationSource | undefined {
  if (config.validation_context !== undefined) {
    const where = at(path, 'validation_context');
    return {
      current: compileValidator([compileValidationContext(config.validation_context, where)], peer, where),
    };
  }
  if (config.validation_context_sds_secret_config !== undefined) {
    const where = at(path, 'validation_context_sds_secret_config');
    return sdsValidation(undefined, config.validation_context_sds_secret_config, peer, context, where);
  }
  const combined = config.combined_validation_context;
  if (combined === undefined) return undefined;
  const where = at(path, 'combined_validation_context');
  if (combined.validation_context_sds_secret_config === undefined) {
    throw new ConfigError(at(where, 'validation_context_sds_secret_config'), 'value is required');
  }
  return sdsValidation(
    combined.default_validation_context,
    combined.validation_context_sds_secret_config,
    peer,
    context,
    where,
  );
}

function sdsValidation(
  defaults: CertificateValidationContext | undefined,
  sds: SdsSecretConfig,
  peer: PeerRole,
  context: FactoryContext,
  path: string,
): ValidationSource {
  const defaultPath = at(path, 'default_validation_context');
  const base = defaults === undefined ? [] : [compileValidationContext(defaults, defaultPath)];
  const source = new SdsValidation(base, context.secret(sds, 'validation_context', path), peer, path);
  // What is there already (a static secret) is checked now; what comes later, when it comes.
  source.update();
  return source;
}

/** A validation context by SDS, merged into the default one. */
class SdsValidation implements ValidationSource {
  readonly #base: readonly ValidationContextSecret[];
  readonly #provider: Provider<Secret>;
  readonly #peer: PeerRole;
  readonly #path: string;
  #seen: Secret | undefined = undefined;
  #validator: CertificateValidator | undefined = undefined;

  constructor(
    base: readonly ValidationContextSecret[],
    provider: Provider<Secret>,
    peer: PeerRole,
    path: string,
  ) {
    this.#base = base;
    this.#provider = provider;
    this.#peer = peer;
    this.#path = path;
  }

  /** A secret that does not fit the default context changes nothing: the last good one stays. */
  get current(): CertificateValidator | undefined {
    try {
      this.update();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
    return this.#validator;
  }

  /** Throws ConfigError when the new secret cannot be used. */
  update(): void {
    const secret = this.#provider.current;
    if (secret === this.#seen || secret?.kind !== 'validation_context') return;
    this.#seen = secret;
    this.#validator = compileValidator([...this.#base, secret], this.#peer, this.#path);
  }
}
