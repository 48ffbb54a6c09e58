// Certificates by where they are configured, read once: the messages that name them do not change, and what serves was read when
// they came. Envoy: Utility::certificateDetails (source/common/tls/utility.cc).

import type { X509Certificate } from 'node:crypto';
import type {
  CertificateDetails,
  SubjectAlternateName,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { DataSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { TlsCertificate } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import { readDataSource } from '../../common/config/data_source.ts';
import { certificatesOf } from '../../common/tls/certificate_path.ts';
import { integerHex } from '../../common/tls/der.ts';
import { type OcspResponse, parseOcspResponse } from '../../common/tls/ocsp_response.ts';
import { type SubjectAltName, subjectAltNames } from '../../common/tls/subject_alt_name.ts';

const DAY_SECONDS = 86_400;

export class SourcedCertificate {
  /** Part of the name of its stats. */
  readonly statName: string;
  readonly expiresMs: number;
  readonly ocsp: OcspResponse | undefined;
  readonly #certificate: X509Certificate;
  /** Of the file it is in, or <inline>. */
  readonly path: string;

  constructor(
    certificate: X509Certificate,
    path: string,
    statName: string,
    ocsp: OcspResponse | undefined = undefined,
  ) {
    this.#certificate = certificate;
    this.path = path;
    this.statName = statName;
    this.expiresMs = certificate.validToDate.getTime();
    this.ocsp = ocsp;
  }

  named(statName: string): SourcedCertificate {
    return new SourcedCertificate(this.#certificate, this.path, statName, this.ocsp);
  }

  get serialNumber(): string {
    return integerHex(Buffer.from(this.#certificate.serialNumber, 'hex'));
  }

  /** As `CN=a, O=b`. */
  get subject(): string {
    return oneLine(this.#certificate.subject);
  }

  get issuer(): string {
    return oneLine(this.#certificate.issuer);
  }

  get validFromMs(): number {
    return this.#certificate.validFromDate.getTime();
  }

  get subjectAltNames(): readonly string[] {
    return subjectAltNames(this.#certificate).map(({ value }) => value);
  }

  details(): Init<CertificateDetails> {
    const certificate = this.#certificate;
    const { ocsp } = this;
    return {
      path: this.path,
      serial_number: this.serialNumber,
      subject_alt_names: subjectAltNames(certificate).flatMap(nameOf),
      days_until_expiration: BigInt(wholeDaysUntil(this.expiresMs)),
      valid_from: timestampOf(certificate.validFromDate.getTime()),
      expiration_time: timestampOf(this.expiresMs),
      ...(ocsp && {
        ocsp_details: {
          valid_from: timestampOf(ocsp.thisUpdateMs),
          expiration: timestampOf(ocsp.nextUpdateMs),
        },
      }),
    };
  }
}

export class CertificateSources {
  readonly #leaves = new WeakMap<TlsCertificate, SourcedCertificate>();

  /** Every certificate of a PEM. Of what is not there (a file that went), none. `pathPrefix`: before where it is. */
  all(source: DataSource | undefined, statName: string, pathPrefix: string): readonly SourcedCertificate[] {
    const where = pathPrefix + (source?.filename ?? '<inline>');
    const pem = readable(() => readDataSource(source, '')?.toString('latin1')) ?? '';
    const certificates = readable(() => certificatesOf(pem)) ?? [];
    return certificates.map((one) => new SourcedCertificate(one, where, statName));
  }

  /** The first of a chain, with what is stapled to it. */
  leaf(config: TlsCertificate, statName: string): SourcedCertificate | undefined {
    const known = this.#leaves.get(config);
    if (known !== undefined) return known;
    const chain = readable(() => readDataSource(config.certificate_chain, '')?.toString('latin1')) ?? '';
    const certificate = readable(() => certificatesOf(chain))?.[0];
    if (certificate === undefined) return undefined;
    const staple = readable(() => readDataSource(config.ocsp_staple, ''));
    const ocsp = staple && readable(() => parseOcspResponse(staple));
    const path = config.certificate_chain?.filename ?? '<inline>';
    const leaf = new SourcedCertificate(certificate, path, statName, ocsp);
    this.#leaves.set(config, leaf);
    return leaf;
  }
}

/** Not below 0. Certificates know whole seconds only: one of a day has a day left in the second that it was made in. */
export function wholeDaysUntil(ms: number): number {
  const seconds = Math.floor(ms / 1000) - Math.floor(Date.now() / 1000);
  return Math.max(0, Math.floor(seconds / DAY_SECONDS));
}

/** Node puts each part on a line. */
function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}

/** What serves could be read; what cannot be any more shows nothing. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function nameOf({ type, value }: SubjectAltName): Init<SubjectAlternateName>[] {
  if (type === 'DNS') return [{ dns: value }];
  if (type === 'URI') return [{ uri: value }];
  return type === 'IP_ADDRESS' ? [{ ip_address: value }] : [];
}
