// Subject alternative names of a certificate, and matchers for them. node gives them as one line of text, in which names
// with unusual characters are quoted: it is parsed strictly, because a name that is taken for two could pass a check.
// Envoy: source/common/tls/cert_validator/san_matcher.cc, source/common/tls/utility.cc (dnsNameMatch).

import type {
  CertificateValidationContext,
  SubjectAltNameMatcher,
} from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import type { StringMatcher as StringMatcherConfig } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';

export type SanType = 'DNS' | 'URI' | 'EMAIL' | 'IP_ADDRESS';

export interface SubjectAltName {
  readonly type: SanType;
  readonly value: string;
}

const PREFIXES: Readonly<Record<string, SanType>> = {
  DNS: 'DNS',
  URI: 'URI',
  email: 'EMAIL',
  'IP Address': 'IP_ADDRESS',
};
const NO_NAMES: readonly SubjectAltName[] = [];

/**
 * The names in X509Certificate.subjectAltName: `TYPE:value` or `TYPE:"quoted value"`, joined with `, `. Names of other
 * types are left out. A text that is not of that form gives no names at all, so that nothing matches.
 */
export function parseSubjectAltNames(text: string | undefined): readonly SubjectAltName[] {
  if (text === undefined || text === '') return NO_NAMES;
  const names: SubjectAltName[] = [];
  let pos = 0;
  while (true) {
    const colon = text.indexOf(':', pos);
    if (colon < 0) return NO_NAMES;
    const type = PREFIXES[text.slice(pos, colon)];
    const quoted = text[colon + 1] === '"';
    const end = quoted ? closingQuote(text, colon + 1) : plainEnd(text, colon + 1);
    if (end < 0) return NO_NAMES;
    const value = quoted ? unquote(text.slice(colon + 1, end)) : text.slice(colon + 1, end);
    if (value === undefined) return NO_NAMES;
    if (type !== undefined) names.push({ type, value });
    if (end === text.length) return names;
    if (!text.startsWith(', ', end)) return NO_NAMES;
    pos = end + 2;
  }
}

/** A value with a comma in it would have been quoted. */
function plainEnd(text: string, from: number): number {
  const comma = text.indexOf(',', from);
  return comma < 0 ? text.length : comma;
}

/** Index behind the quote that ends the quoted value at `from`, or -1. */
function closingQuote(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  return -1;
}

/** node quotes as JSON does. */
function unquote(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

/** One configured matcher: a type and what its names must be like. */
export class SanMatcher {
  readonly type: SanType;
  readonly #matcher: StringMatcher;
  /** An exact DNS name also accepts a certificate's wildcard. */
  readonly #dnsName: string | undefined;

  constructor(type: SanType, config: StringMatcherConfig, path: string) {
    this.type = type;
    this.#matcher = compileStringMatcher(config, path);
    this.#dnsName = type === 'DNS' ? config.exact : undefined;
  }

  match(name: SubjectAltName): boolean {
    if (name.type !== this.type) return false;
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
    types.map((type) => new SanMatcher(type, matcher, at(at(path, 'match_subject_alt_names'), index))),
  );
  return [...typed, ...untyped];
}

function typedMatcher(config: SubjectAltNameMatcher, path: string): SanMatcher {
  const type = config.san_type;
  if (type !== 'DNS' && type !== 'URI' && type !== 'EMAIL' && type !== 'IP_ADDRESS') {
    throw new ConfigError(path, `Failed to create SAN matcher for ${type} with OID:${config.oid}`);
  }
  if (config.matcher === undefined) throw new ConfigError(at(path, 'matcher'), 'value is required');
  return new SanMatcher(type, config.matcher, at(path, 'matcher'));
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
