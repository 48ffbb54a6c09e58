// Replaces every file and environment variable in a Secret by its bytes, so that workers read no files, and says which
// files a rotation would change. Envoy: source/common/secret/sds_api.cc (loadFiles, watched files).

import path from 'node:path';
import type {
  DataSource,
  TypedExtensionConfig,
  WatchedDirectory,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  Secret,
  SPIFFECertValidatorConfig,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decodeAny, encodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { at } from '../../api/config_error.ts';
import { readDataSource } from '../../common/config/data_source.ts';

export interface InlinedSecret {
  readonly secret: Secret;
  /** Folders whose renames may mean new content: of the files, or the watched_directory alone where there is one. */
  readonly watched: ReadonlySet<string>;
}

const SPIFFE_VALIDATOR = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';

/** Throws ConfigError when a file cannot be read. */
export function inlineSecret(secret: Secret, where: string): InlinedSecret {
  const watched = new Set<string>();
  const inline = (source: DataSource | undefined, field: string, directory?: WatchedDirectory) => {
    if (source === undefined) return undefined;
    if (source.filename !== undefined) watched.add(directory?.path ?? path.dirname(source.filename));
    return { inline_bytes: readDataSource(source, at(where, field)) as Buffer } as DataSource;
  };
  const { tls_certificate: tls, validation_context: validation } = secret;
  const { session_ticket_keys: tickets, generic_secret: generic } = secret;
  const inlined: Secret = { ...secret };
  if (tls !== undefined) {
    const directory = tls.watched_directory;
    inlined.tls_certificate = {
      ...tls,
      certificate_chain: inline(tls.certificate_chain, 'tls_certificate.certificate_chain', directory),
      private_key: inline(tls.private_key, 'tls_certificate.private_key', directory),
      password: inline(tls.password, 'tls_certificate.password', directory),
      ocsp_staple: inline(tls.ocsp_staple, 'tls_certificate.ocsp_staple', directory),
    };
  }
  if (validation !== undefined) {
    const directory = validation.watched_directory;
    inlined.validation_context = {
      ...validation,
      trusted_ca: inline(validation.trusted_ca, 'validation_context.trusted_ca', directory),
      crl: inline(validation.crl, 'validation_context.crl', directory),
      custom_validator_config: inlineTrustBundles(validation.custom_validator_config, (source, index) =>
        inline(source, `validation_context.custom_validator_config.trust_domains[${index}].trust_bundle`),
      ),
    };
  }
  if (tickets !== undefined) {
    inlined.session_ticket_keys = {
      keys: tickets.keys.map(
        (key, index) => inline(key, at('session_ticket_keys.keys', index)) as DataSource,
      ),
    };
  }
  if (generic !== undefined) {
    inlined.generic_secret = {
      secret: inline(generic.secret, 'generic_secret.secret'),
      secrets: Object.fromEntries(
        Object.entries(generic.secrets).map(([name, source]) => [
          name,
          inline(source, at('generic_secret.secrets', name)) as DataSource,
        ]),
      ),
    };
  }
  return { secret: inlined, watched };
}

/** The bundles of a SPIFFE validator may be files, too. */
function inlineTrustBundles(
  custom: TypedExtensionConfig | undefined,
  inline: (source: DataSource | undefined, index: number) => DataSource | undefined,
): TypedExtensionConfig | undefined {
  if (custom?.typed_config === undefined || typeNameOf(custom.typed_config.type_url) !== SPIFFE_VALIDATOR)
    return custom;
  const { trust_domains: domains } = decodeAny(custom.typed_config)
    .message as object as SPIFFECertValidatorConfig;
  const inlined = domains.map(({ name, trust_bundle: bundle }, index) => ({
    name,
    trust_bundle: inline(bundle, index),
  }));
  return { ...custom, typed_config: encodeAny(SPIFFE_VALIDATOR, { trust_domains: inlined }) };
}
