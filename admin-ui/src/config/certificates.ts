// The certificates of configurations and who uses them, as /api/certificates has them: for a /config_dump file, where no proxy is
// asked. Envoy puts certificates into it, and never keys.

import type { CertificateUse } from '../api/proxyTypes.ts';
import type { Json, JsonObject, ResourceDetail } from '../api/types.ts';
import { list, object, text } from './json.ts';
import { certificatesOfPem } from './x509.ts';

type User = CertificateUse['used_by'][number];

/** Where a PEM is: in a secret of that name, or in a resource. */
interface Place {
  readonly role: CertificateUse['role'];
  /** '' where it is part of a resource. */
  readonly secret: string;
  readonly source: JsonObject;
}

export function certificateUses(resources: readonly ResourceDetail[]): CertificateUse[] {
  const secrets = new Map(
    resources.flatMap(({ kind, name, resource }) =>
      kind === 'secret' && resource !== undefined ? [[name, resource] as const] : [],
    ),
  );
  const uses = new Map<string, CertificateUse & { readonly used_by: User[] }>();
  const add = ({ role, secret, source }: Place, user: User | undefined): void => {
    for (const one of certificatesOfPem(pemOf(source))) {
      const key = `${role} ${one.serialNumber} ${one.issuer} ${secret}`;
      const use = uses.get(key) ?? { ...toUse(one), role, secret, path: '<inline>', used_by: [] };
      uses.set(key, use);
      if (
        user !== undefined &&
        !use.used_by.some(({ kind, name }) => kind === user.kind && name === user.name)
      )
        use.used_by.push(user);
    }
  };
  for (const { kind, name, resource } of resources) {
    if ((kind !== 'listener' && kind !== 'cluster') || resource === undefined) continue;
    for (const context of tlsContexts(resource))
      for (const place of placesOf(context, secrets)) add(place, { kind, name });
  }
  // Those that nobody uses are in the file, too.
  for (const [name, secret] of secrets)
    for (const place of placesOfSecret(name, secret)) add(place, undefined);
  return [...uses.values()];
}

function toUse(one: ReturnType<typeof certificatesOfPem>[number]) {
  const { subject, issuer, serialNumber, subjectAltNames, validFrom, expiresAt } = one;
  return {
    name: subjectAltNames[0] ?? subject,
    subject,
    issuer,
    serial_number: serialNumber,
    subject_alt_names: subjectAltNames,
    valid_from: validFrom,
    expires_at: expiresAt,
  };
}

/** CommonTlsContexts, wherever transport sockets are nested. */
function* tlsContexts(value: Json): Generator<JsonObject> {
  if (typeof value !== 'object' || value === null) return;
  for (const [field, inner] of Object.entries(value)) {
    if (field === 'common_tls_context') yield object(inner);
    else yield* tlsContexts(inner as Json);
  }
}

function placesOf(context: JsonObject, secrets: ReadonlyMap<string, JsonObject>): Place[] {
  const combined = object(context['combined_validation_context']);
  const names = [
    ...list(context['tls_certificate_sds_secret_configs']),
    object(context['validation_context_sds_secret_config']),
    object(combined['validation_context_sds_secret_config']),
  ].map(({ name }) => text(name));
  return [
    ...list(context['tls_certificates']).map((each) => certificate(each, '')),
    roots(object(context['validation_context']), ''),
    roots(object(combined['default_validation_context']), ''),
    ...names.flatMap((name) => placesOfSecret(name, secrets.get(name) ?? {})),
  ];
}

function placesOfSecret(name: string, secret: JsonObject): Place[] {
  return [
    certificate(object(secret['tls_certificate']), name),
    roots(object(secret['validation_context']), name),
  ];
}

function certificate(config: JsonObject, secret: string): Place {
  return { role: 'certificate', secret, source: object(config['certificate_chain']) };
}

function roots(config: JsonObject, secret: string): Place {
  return { role: 'trusted_root', secret, source: object(config['trusted_ca']) };
}

/** What is in files only is not in the dump. */
function pemOf({ inline_string: inline, inline_bytes: base64 }: JsonObject): string {
  if (base64 === undefined) return text(inline);
  try {
    return atob(text(base64));
  } catch {
    return '';
  }
}
