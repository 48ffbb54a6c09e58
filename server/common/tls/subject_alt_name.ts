// Subject alternative names of a certificate, and matchers for them. They are read from the certificate's DER: in the one
// line of text that node makes of them a name may look like two, and IP addresses are not written as everybody else does.
// Envoy: source/common/tls/cert_validator/san_matcher.cc, source/common/tls/utility.cc (generalNameAsString, dnsNameMatch).

import type { X509Certificate } from 'node:crypto';
import type {
  CertificateValidationContext,
  SubjectAltNameMatcher,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import type { StringMatcher as StringMatcherConfig } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';
import { ipOfBytes } from '../network/address.ts';
import { ExtensionId, extensionOf } from './certificate_extensions.ts';
import { contextTag, DerError, DerReader, DerTag, oidText, primitiveContextTag } from './der.ts';

export type SanType = 'DNS' | 'URI' | 'EMAIL' | 'IP_ADDRESS' | 'OTHER_NAME';

export interface SubjectAltName {
  readonly type: SanType;
  readonly value: string;
  /** Of an OTHER_NAME, dotted; '' for the others. */
  readonly oid: string;
}

const NO_NAMES: readonly SubjectAltName[] = [];
/** Tags of GeneralName, RFC 5280 4.2.1.6. */
const OTHER_NAME = contextTag(0);
const TEXT_NAMES = new Map<number, SanType>([
  [primitiveContextTag(1), 'EMAIL'],
  [primitiveContextTag(2), 'DNS'],
  [primitiveContextTag(6), 'URI'],
]);
const IP_ADDRESS = primitiveContextTag(7);

const known = new WeakMap<X509Certificate, readonly SubjectAltName[]>();

/** The names of a certificate in its order; of what cannot be read, none at all, so that nothing matches. */
export function subjectAltNames(certificate: X509Certificate): readonly SubjectAltName[] {
  let names = known.get(certificate);
  if (names === undefined) known.set(certificate, (names = read(certificate)));
  return names;
}

function read(certificate: X509Certificate): readonly SubjectAltName[] {
  const extension = extensionOf(certificate, ExtensionId.SubjectAltName);
  return extension === undefined ? NO_NAMES : parseGeneralNames(extension);
}

/** The names in DER of GeneralNames. Whoever presents a certificate has written it: nothing makes this throw. */
export function parseGeneralNames(extension: Buffer): readonly SubjectAltName[] {
  try {
    const names: SubjectAltName[] = [];
    for (const list = new DerReader(extension).enter(DerTag.Sequence); !list.done; ) {
      const tag = list.peek();
      const content = list.content(tag);
      const type = TEXT_NAMES.get(tag);
      if (type !== undefined) names.push({ type, value: content.toString('latin1'), oid: '' });
      else if (tag === IP_ADDRESS) names.push({ type: 'IP_ADDRESS', value: ipOfBytes(content), oid: '' });
      else if (tag === OTHER_NAME) names.push(otherName(new DerReader(content)));
    }
    return names;
  } catch (error) {
    if (error instanceof DerError) return NO_NAMES;
    throw error;
  }
}

function otherName(name: DerReader): SubjectAltName {
  const oid = oidText(name.content(DerTag.ObjectIdentifier));
  const value = name.enter(contextTag(0));
  const tag = value.peek();
  return { type: 'OTHER_NAME', value: valueText(tag, value.content(tag)), oid };
}

/** Strings of every kind as they are. */
function valueText(tag: number, content: Buffer): string {
  if (content.length === 0) return '';
  if (tag === DerTag.Boolean) return content[0] === 0 ? 'false' : 'true';
  if (tag === DerTag.ObjectIdentifier) return oidText(content);
  if (tag === DerTag.Integer || tag === DerTag.Enumerated)
    return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`)).toString();
  return tag < DerTag.Sequence ? content.toString('latin1') : '';
}

/** One configured matcher: a type and what its names must be like. */
export class SanMatcher {
  readonly type: SanType;
  /** As it was configured, for people. */
  readonly text: string;
  /** Of an OTHER_NAME. */
  readonly #oid: string;
  readonly #matcher: StringMatcher;
  /** An exact DNS name also accepts a certificate's wildcard. */
  readonly #dnsName: string | undefined;

  constructor(type: SanType, oid: string, config: StringMatcherConfig, path: string) {
    this.type = type;
    this.text = `${type} ${JSON.stringify(config)}`;
    this.#oid = oid;
    this.#matcher = compileStringMatcher(config, path);
    this.#dnsName = type === 'DNS' ? config.exact : undefined;
  }

  match(name: SubjectAltName): boolean {
    if (name.type !== this.type || name.oid !== this.#oid) return false;
    return this.#dnsName === undefined
      ? this.#matcher.match(name.value)
      : dnsNameMatch(this.#dnsName, name.value);
  }
}

/** The matchers of a context: typed ones, and the deprecated ones, which look at every type. Throws ConfigError. */
export function compileSanMatchers(
  config: Pick<CertificateValidationContext, 'match_typed_subject_alt_names' | 'match_subject_alt_names'>,
  path: string,
): readonly SanMatcher[] {
  const typed = config.match_typed_subject_alt_names.map((matcher, index) =>
    typedMatcher(matcher, at(at(path, 'match_typed_subject_alt_names'), index)),
  );
  const types: readonly SanType[] = ['DNS', 'URI', 'EMAIL', 'IP_ADDRESS'];
  const untyped = config.match_subject_alt_names.flatMap((matcher, index) =>
    types.map((type) => new SanMatcher(type, '', matcher, at(at(path, 'match_subject_alt_names'), index))),
  );
  return [...typed, ...untyped];
}

function typedMatcher(config: SubjectAltNameMatcher, path: string): SanMatcher {
  const { san_type: type, oid } = config;
  const known = type === 'DNS' || type === 'URI' || type === 'EMAIL' || type === 'IP_ADDRESS';
  if (!known && (type !== 'OTHER_NAME' || !/^[012](?:\.\d+)+$/.test(oid))) {
    throw new ConfigError(path, `Failed to create SAN matcher for ${type} with OID:${oid}`);
  }
  if (config.matcher === undefined) throw new ConfigError(at(path, 'matcher'), 'value is required');
  return new SanMatcher(type, known ? '' : oid, config.matcher, at(path, 'matcher'));
}

/** Is `name` what a certificate's DNS name `pattern` stands for? A star may be all or a part of the leftmost label. */
export function dnsNameMatch(name: string, pattern: string): boolean {
  const wanted = name.toLowerCase();
  const presented = pattern.toLowerCase();
  if (wanted === presented) return true;
  const dot = wanted.indexOf('.');
  const presentedDot = presented.indexOf('.');
  const star = presented.indexOf('*');
  if (star < 0 || star > presentedDot || dot <= 0 || presented.includes('*', star + 1)) return false;
  if (wanted.slice(dot) !== presented.slice(presentedDot)) return false;
  const label = wanted.slice(0, dot);
  const before = presented.slice(0, star);
  const after = presented.slice(star + 1, presentedDot);
  // RFC 6125 6.4.3: no wildcard within a label of an internationalized name.
  if (before.startsWith('xn--')) return false;
  return label.length >= before.length + after.length && label.startsWith(before) && label.endsWith(after);
}
