// One protoc-gen-validate rule set compiled into one function, with the wording that Envoy prints.
// https://github.com/bufbuild/protoc-gen-validate: the rules; those that no packaged proto uses are refused when compiled.

import { isIP } from 'node:net';
import { enumNumber } from './codec.ts';
import type { Field, Rules } from './descriptors.ts';
import { parseDurationRule } from './validate_durations.ts';

/** The reason why a value breaks its rules; undefined when it keeps them. */
export type Rule = (value: unknown) => string | undefined;

// What Envoy prints for them, and what they match. Non-strict only keeps NUL, CR and LF out.
const HEADER_NAME = "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$";
const HEADER_VALUE = '^[^\\x00-\\b\\n-\\x1f\\x7f]*$';
const HEADER_STRING = '^[^\\x00\\n\\r]*$';
const HEADER_PATTERNS: Readonly<Record<string, RegExp>> = {
  [HEADER_NAME]: /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/,
  [HEADER_VALUE]: /^[^\x00-\x08\x0a-\x1f\x7f]*$/,
  [HEADER_STRING]: /^[^\x00\n\r]*$/,
};

/** Compiles the rules of one value of a field: `rules` is a FieldRules without `repeated` and `map`. */
export function compileRule(field: Field, type: string, rules: Rules): Rule | undefined {
  const all: Rule[] = [];
  for (const kind of Object.keys(rules)) {
    const given = rules[kind] as Rules;
    if (kind === 'message' || kind === 'any') continue;
    if (kind === 'string') all.push(...stringRules(given));
    else if (kind === 'bytes') all.push(...lengthRules(given, byteCount, 'bytes'));
    else if (kind === 'enum') all.push(...enumRules(field, given));
    else if (kind === 'bool') all.push(equals(given['const']));
    else if (kind === 'duration') all.push(...rangeRules(durationBounds(given), nanosOf));
    else all.push(...numberRules(given));
    if (given['ignore_empty'] === true && all.length > 0) return ignoringEmpty(type, all);
  }
  return all.length === 0 ? undefined : first(all);
}

function first(rules: readonly Rule[]): Rule {
  if (rules.length === 1) return rules[0]!;
  return (value) => {
    for (const rule of rules) {
      const reason = rule(value);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

function ignoringEmpty(type: string, rules: readonly Rule[]): Rule {
  const rule = first(rules);
  const isEmpty =
    type === 'string' || type === 'bytes'
      ? (value: unknown) => (value as string | Uint8Array).length === 0
      : (value: unknown) => value === 0 || value === 0n;
  return (value) => (isEmpty(value) ? undefined : rule(value));
}

function equals(wanted: unknown): Rule {
  return (value) => (value === wanted ? undefined : `value must equal ${String(wanted)}`);
}

interface Bound<T> {
  readonly value: T;
  readonly text: string;
}

interface Bounds<T> {
  readonly gt: Bound<T> | undefined;
  readonly gte: Bound<T> | undefined;
  readonly lt: Bound<T> | undefined;
  readonly lte: Bound<T> | undefined;
}

function bounds<T>(rules: Rules, read: (rule: unknown) => Bound<T>): Bounds<T> {
  const bound = (name: string) => (rules[name] === undefined ? undefined : read(rules[name]));
  return { gt: bound('gt'), gte: bound('gte'), lt: bound('lt'), lte: bound('lte') };
}

// JavaScript compares numbers and bigints exactly, so a bound may be either.
function numberRules(rules: Rules): Rule[] {
  const read = (rule: unknown) => ({ value: rule as number | bigint, text: String(rule) });
  const all = rangeRules(bounds(rules, read), (value) => value as number | bigint);
  const wanted = rules['const'];
  if (wanted !== undefined) all.push(equals(wanted));
  return [...all, ...listRules(rules, (value) => Number(value), String)];
}

function durationBounds(rules: Rules): Bounds<bigint> {
  return bounds(rules, parseDurationRule);
}

function nanosOf(value: unknown): bigint {
  const { seconds, nanos } = value as { seconds: bigint; nanos: number };
  return BigInt(seconds ?? 0n) * 1_000_000_000n + BigInt(nanos ?? 0);
}

function rangeRules<T>({ gt, gte, lt, lte }: Bounds<T>, of: (value: unknown) => T): Rule[] {
  const low = gt ?? gte;
  const high = lt ?? lte;
  const above = (value: T) => low === undefined || (gt ? value > gt.value : value >= low.value);
  const below = (value: T) => high === undefined || (lt ? value < lt.value : value <= high.value);
  if (low === undefined && high === undefined) return [];
  let reason: string;
  if (low !== undefined && high !== undefined) {
    reason = `value must be inside range ${gt ? '(' : '['}${low.text}, ${high.text}${lt ? ')' : ']'}`;
  } else if (low !== undefined) reason = `value must be greater than ${gt ? '' : 'or equal to '}${low.text}`;
  else reason = `value must be less than ${lt ? '' : 'or equal to '}${high!.text}`;
  return [
    (given) => {
      const value = of(given);
      return above(value) && below(value) ? undefined : reason;
    },
  ];
}

function listRules(rules: Rules, of: (value: unknown) => unknown, show: (value: unknown) => string): Rule[] {
  const all: Rule[] = [];
  for (const name of ['in', 'not_in']) {
    if (rules[name] === undefined) continue;
    const list = Array.isArray(rules[name]) ? (rules[name] as unknown[]) : [rules[name]];
    const values = new Set(list);
    const wanted = name === 'in';
    const reason = `value must ${wanted ? '' : 'not '}be in list [${list.map(show).join(' ')}]`;
    all.push((value) => (values.has(of(value)) === wanted ? undefined : reason));
  }
  return all;
}

function enumRules(field: Field, rules: Rules): Rule[] {
  const type = field.enum;
  const all: Rule[] = [];
  if (rules['defined_only'] === true) {
    // A number that has a name was decoded to it.
    all.push((value) =>
      typeof value === 'number' && !type.nameOf.has(value)
        ? 'value must be one of the defined enum values'
        : undefined,
    );
  }
  const show = (value: unknown) => type.nameOf.get(value as number) ?? String(value);
  all.push(...listRules(rules, (value) => enumNumber(field, value), show));
  if (rules['const'] !== undefined) {
    const wanted = rules['const'] as number;
    all.push((value) =>
      enumNumber(field, value) === wanted ? undefined : `value must equal ${show(wanted)}`,
    );
  }
  return all;
}

function codePoints(value: unknown): number {
  let count = 0;
  for (const _ of value as string) count++;
  return count;
}

function byteCount(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : (value as Uint8Array).length;
}

function lengthRules(
  rules: Rules,
  count: (value: unknown) => number,
  unit: string,
  least = rules['min_len'] as number | undefined,
  most = rules['max_len'] as number | undefined,
): Rule[] {
  const all: Rule[] = [];
  const exactly = rules['len'] as number | undefined;
  if (exactly !== undefined && unit === 'characters') {
    all.push((value) => (count(value) === exactly ? undefined : `value length must be ${exactly} ${unit}`));
  }
  if (least !== undefined && most !== undefined) {
    const reason = `value length must be between ${least} and ${most} ${unit}, inclusive`;
    all.push((value) => (count(value) >= least && count(value) <= most ? undefined : reason));
  } else if (least !== undefined) {
    all.push((value) =>
      count(value) >= least ? undefined : `value length must be at least ${least} ${unit}`,
    );
  } else if (most !== undefined) {
    all.push((value) => (count(value) <= most ? undefined : `value length must be at most ${most} ${unit}`));
  }
  return all;
}

function stringRules(rules: Rules): Rule[] {
  const all = [
    ...lengthRules(rules, codePoints, 'characters'),
    ...lengthRules(
      {},
      byteCount,
      'bytes',
      rules['min_bytes'] as number | undefined,
      rules['max_bytes'] as number | undefined,
    ),
    ...listRules(rules, (value) => value, String),
  ];
  if (rules['const'] !== undefined) all.push(equals(rules['const']));
  const prefix = rules['prefix'] as string | undefined;
  const suffix = rules['suffix'] as string | undefined;
  if (prefix !== undefined)
    all.push(holds((text) => text.startsWith(prefix), `value does not have prefix "${prefix}"`));
  if (suffix !== undefined)
    all.push(holds((text) => text.endsWith(suffix), `value does not have suffix "${suffix}"`));
  if (rules['pattern'] !== undefined) all.push(matches(rules['pattern'] as string));
  if (rules['well_known_regex'] !== undefined) all.push(matches(headerPattern(rules)));
  if (rules['ip'] === true) all.push(holds((text) => isIP(text) !== 0, 'value must be a valid IP address'));
  if (rules['hostname'] === true) all.push(holds(isHostname, 'value must be a valid hostname'));
  if (rules['uri'] === true) all.push(holds(URL.canParse, 'value must be a valid URI'));
  for (const rule of [
    'email',
    'address',
    'uri_ref',
    'uuid',
    'ipv4',
    'ipv6',
    'contains',
    'not_contains',
    'len_bytes',
  ]) {
    if (rules[rule] !== undefined) throw new TypeError(`the validate rule string.${rule} is not known`);
  }
  return all;
}

function holds(test: (text: string) => boolean, reason: string): Rule {
  return (value) => (test(value as string) ? undefined : reason);
}

function matches(pattern: string): Rule {
  const regexp = HEADER_PATTERNS[pattern] ?? new RegExp(pattern);
  return holds((text) => regexp.test(text), `value does not match regex pattern "${pattern}"`);
}

function headerPattern(rules: Rules): string {
  if (rules['strict'] === false) return HEADER_STRING;
  return rules['well_known_regex'] === 'HTTP_HEADER_NAME' ? HEADER_NAME : HEADER_VALUE;
}

function isHostname(text: string): boolean {
  if (text.length > 253) return false;
  return text
    .replace(/\.$/, '')
    .split('.')
    .every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}
