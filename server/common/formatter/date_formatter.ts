// Times as text: strftime with Envoy's additions (%f, %3f, %s), compiled once to a list of parts.
// Envoy: source/common/common/utility.cc (DateFormatter, AccessLogDateTimeFormatter); specifiers as absl::FormatTime prints them.

import { ConfigError } from '../../api/config_error.ts';
import { DAYS, MONTHS } from '../calendar.ts';

const DAY_MS = 86_400_000;

/** A time taken apart: `date`'s UTC fields are the wanted zone's clock. */
interface BrokenDown {
  readonly date: Date;
  /** ms since the epoch, with a fraction where the clock gave one. */
  readonly epochMs: number;
  /** Minutes east of UTC. */
  readonly offset: number;
  readonly local: boolean;
}

type Part = string | ((time: BrokenDown) => string);

/** How a number is padded where no flag says otherwise. */
interface NumericField {
  readonly width: number;
  readonly pad: '0' | ' ';
  readonly value: (time: BrokenDown) => number;
}

const zero = (width: number, value: NumericField['value']): NumericField => ({ width, pad: '0', value });
const blank = (value: NumericField['value']): NumericField => ({ width: 2, pad: ' ', value });
const hour12 = ({ date }: BrokenDown): number => date.getUTCHours() % 12 || 12;

const NUMBERS: Readonly<Record<string, NumericField>> = {
  C: zero(2, ({ date }) => Math.floor(date.getUTCFullYear() / 100)),
  d: zero(2, ({ date }) => date.getUTCDate()),
  e: blank(({ date }) => date.getUTCDate()),
  g: zero(2, ({ date }) => isoWeek(date).year % 100),
  G: zero(1, ({ date }) => isoWeek(date).year),
  H: zero(2, ({ date }) => date.getUTCHours()),
  I: zero(2, hour12),
  j: zero(3, ({ date }) => dayOfYear(date) + 1),
  k: blank(({ date }) => date.getUTCHours()),
  l: blank(hour12),
  m: zero(2, ({ date }) => date.getUTCMonth() + 1),
  M: zero(2, ({ date }) => date.getUTCMinutes()),
  s: zero(1, ({ epochMs }) => Math.floor(epochMs / 1000)),
  S: zero(2, ({ date }) => date.getUTCSeconds()),
  u: zero(1, ({ date }) => date.getUTCDay() || 7),
  U: zero(2, ({ date }) => Math.floor((dayOfYear(date) + 7 - date.getUTCDay()) / 7)),
  V: zero(2, ({ date }) => isoWeek(date).week),
  w: zero(1, ({ date }) => date.getUTCDay()),
  W: zero(2, ({ date }) => Math.floor((dayOfYear(date) + 7 - ((date.getUTCDay() + 6) % 7)) / 7)),
  y: zero(2, ({ date }) => date.getUTCFullYear() % 100),
  Y: zero(1, ({ date }) => date.getUTCFullYear()),
};

const WORDS: Readonly<Record<string, (time: BrokenDown) => string>> = {
  a: ({ date }) => DAYS[date.getUTCDay()].slice(0, 3),
  A: ({ date }) => DAYS[date.getUTCDay()],
  b: ({ date }) => MONTHS[date.getUTCMonth()].slice(0, 3),
  h: ({ date }) => MONTHS[date.getUTCMonth()].slice(0, 3),
  B: ({ date }) => MONTHS[date.getUTCMonth()],
  p: ({ date }) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  P: ({ date }) => (date.getUTCHours() < 12 ? 'am' : 'pm'),
  t: () => '\t',
  z: ({ offset }) => zoneOffset(offset, ''),
  Z: ({ epochMs, local }) => (local ? zoneName(epochMs) : 'UTC'),
  '%': () => '%',
};

/** Specifiers that stand for a longer format (the C locale's). */
const COMPOSITES: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

// Flags, width, E or O modifier (with %E4S and %E*S), specifier.
const SPECIFIER = /%([-_0^#]*)([1-9]\d*)?(?:E(\*|\d)?|O)?([A-Za-z%])/g;
const NEWLINE = /%[-_0^#]*[1-9]*(?:E|O)?n/;

/** Formats times with a compiled format string, in UTC or (`local`) in the process's time zone. */
export class DateFormatter {
  private readonly parts: readonly Part[];
  private readonly local: boolean;

  /** Throws ConfigError at `path` when the format would print a newline: it may end up in a header. */
  constructor(format: string, local: boolean, path: string) {
    if (NEWLINE.test(format)) {
      throw new ConfigError(path, 'Invalid header configuration. Format string contains newline.');
    }
    this.parts = compileDateFormat(format);
    this.local = local;
  }

  /** `epochMs` is wall-clock ms since the epoch, fractions allowed. */
  format(epochMs: number): string {
    const offset = this.local ? -new Date(epochMs).getTimezoneOffset() : 0;
    const time = {
      date: new Date(Math.floor(epochMs) + offset * 60_000),
      epochMs,
      offset,
      local: this.local,
    };
    let text = '';
    for (const part of this.parts) text += typeof part === 'string' ? part : part(time);
    return text;
  }
}

let cachedSecond = Number.NaN;
let cachedPrefix = '';

/** Envoy's default, `2026-11-21T08:19:17.203Z`. The part up to the second is kept: most lines share it with the line before. */
export function formatAccessLogTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedPrefix = new Date(second * 1000).toISOString().slice(0, 20);
  }
  const ms = Math.floor(epochMs) - second * 1000;
  return `${cachedPrefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}

function compileDateFormat(format: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of format.matchAll(SPECIFIER)) {
    const part = compileSpecifier(match[0], match[1], match[2], match[3], match[4]);
    if (match.index > end) parts.push(format.slice(end, match.index));
    parts.push(...part);
    end = match.index + match[0].length;
  }
  if (end < format.length) parts.push(format.slice(end));
  return parts;
}

function compileSpecifier(
  text: string,
  flags: string,
  width: string | undefined,
  precision: string | undefined,
  letter: string,
): Part[] {
  if (letter === 'f') return [compileFraction(text, flags, width, precision)];
  if (letter === 'S' && precision !== undefined) {
    const digits = precision === '*' ? -1 : Number(precision);
    return [(time) => `${pad(time.date.getUTCSeconds(), 2, '0')}${fractionWithDot(time.epochMs, digits)}`];
  }
  if (letter === 'z' && text.includes('E')) return [({ offset }) => zoneOffset(offset, ':')];
  const composite = COMPOSITES[letter];
  if (composite !== undefined) return compileDateFormat(composite);
  const field = NUMBERS[letter];
  if (field !== undefined) return [compileNumber(field, flags, width)];
  const word = WORDS[letter];
  if (word === undefined) return [text];
  return [flags.includes('^') ? (time) => word(time).toUpperCase() : word];
}

/** `%f` is nanoseconds, `%3f` and `%E3f` the first three digits of them. */
function compileFraction(
  text: string,
  flags: string,
  width: string | undefined,
  precision: string | undefined,
): Part {
  const digits = Number(width ?? precision ?? 9);
  if (flags !== '' || !(digits >= 1 && digits <= 9)) return text;
  return ({ epochMs }) => fraction(epochMs).slice(0, digits);
}

function compileNumber(field: NumericField, flags: string, width: string | undefined): Part {
  const filler = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : field.pad;
  const size = flags.includes('-') ? 0 : Math.max(field.width, Number(width ?? 0));
  return (time) => pad(field.value(time), size, filler);
}

function pad(value: number, width: number, filler: string): string {
  return String(value).padStart(width, filler);
}

/**
 * The nine digits below the second. JavaScript clocks know microseconds at best, so the last three are 0.
 * Rounded, since a double of milliseconds misses whole microseconds by a hair.
 */
function fraction(epochMs: number): string {
  const microseconds = Math.min(999_999, Math.round((epochMs - Math.floor(epochMs / 1000) * 1000) * 1000));
  return `${pad(microseconds, 6, '0')}000`;
}

function fractionWithDot(epochMs: number, digits: number): string {
  if (digits === 0) return '';
  const text = digits > 0 ? fraction(epochMs).slice(0, digits) : fraction(epochMs).replace(/0+$/, '');
  return text === '' ? '' : `.${text}`;
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS);
}

/** ISO 8601 week: the one that holds the year's first Thursday is week 1. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * DAY_MS);
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

function zoneOffset(minutes: number, separator: string): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2, '0')}${separator}${pad(size % 60, 2, '0')}`;
}

function zoneName(epochMs: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(epochMs);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
}
