// Prints log records in the pattern language of --log-format (spdlog's, with Envoy's %_ and %j), or as JSON.
// Source positions do not exist here: %g, %s, %#, %@ and %! print as empty, and the default pattern leaves `[%g:%#]` out.
// https://github.com/gabime/spdlog/wiki/3.-Custom-formatting, envoy/config/bootstrap/v3 ApplicationLogConfig.

import { ConfigError } from '../api/config_error.ts';
import { DAYS, MONTHS } from './calendar.ts';
import type { LogRecord } from './log.ts';

export const DEFAULT_LOG_FORMAT = '[%Y-%m-%d %T.%e][%t][%l][%n] %v';
/** What /server_info and Envoy's --help state as the default. */
export const ENVOY_LOG_FORMAT = '[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v';

export type LogLineFormatter = (record: LogRecord, thread: number, time: Date) => string;

type Field = (record: LogRecord, thread: number, time: Date) => string;

const two = (n: number): string => String(n).padStart(2, '0');
const day = (time: Date): string => DAYS[time.getDay()] as string;
const month = (time: Date): string => MONTHS[time.getMonth()] as string;
const clock = (time: Date): string =>
  `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
const date = (time: Date): string =>
  `${two(time.getMonth() + 1)}/${two(time.getDate())}/${two(time.getFullYear() % 100)}`;
const hour12 = (time: Date): string => two(time.getHours() % 12 === 0 ? 12 : time.getHours() % 12);
const half = (time: Date): string => (time.getHours() < 12 ? 'AM' : 'PM');
const nothing: Field = () => '';

/** `+01:00`: getTimezoneOffset counts minutes west. */
function zone(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** One line: what `%_` makes of a text, so that an entry stays one line of the log. */
export function escapeLogText(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
}

const FIELDS: Readonly<Record<string, Field>> = {
  '%': () => '%',
  v: ({ text }) => text,
  _: ({ text }) => escapeLogText(text),
  j: ({ text }) => JSON.stringify(text).slice(1, -1),
  n: ({ logger }) => logger,
  l: ({ level }) => level,
  L: ({ level }) => (level[0] as string).toUpperCase(),
  t: (_record, thread) => String(thread),
  P: () => String(process.pid),
  Y: (_record, _thread, time) => String(time.getFullYear()),
  C: (_record, _thread, time) => two(time.getFullYear() % 100),
  m: (_record, _thread, time) => two(time.getMonth() + 1),
  d: (_record, _thread, time) => two(time.getDate()),
  H: (_record, _thread, time) => two(time.getHours()),
  I: (_record, _thread, time) => hour12(time),
  M: (_record, _thread, time) => two(time.getMinutes()),
  S: (_record, _thread, time) => two(time.getSeconds()),
  e: (_record, _thread, time) => String(time.getMilliseconds()).padStart(3, '0'),
  f: (_record, _thread, time) => String(time.getMilliseconds()).padStart(3, '0').padEnd(6, '0'),
  F: (_record, _thread, time) => String(time.getMilliseconds()).padStart(3, '0').padEnd(9, '0'),
  E: (_record, _thread, time) => String(Math.floor(time.getTime() / 1000)),
  T: (_record, _thread, time) => clock(time),
  X: (_record, _thread, time) => clock(time),
  R: (_record, _thread, time) => clock(time).slice(0, 5),
  r: (_record, _thread, time) => `${hour12(time)}${clock(time).slice(2)} ${half(time)}`,
  p: (_record, _thread, time) => half(time),
  z: (_record, _thread, time) => zone(time),
  a: (_record, _thread, time) => day(time).slice(0, 3),
  A: (_record, _thread, time) => day(time),
  b: (_record, _thread, time) => month(time).slice(0, 3),
  h: (_record, _thread, time) => month(time).slice(0, 3),
  B: (_record, _thread, time) => month(time),
  c: (_record, _thread, time) =>
    `${day(time).slice(0, 3)} ${month(time).slice(0, 3)} ${String(time.getDate()).padStart(2)} ${clock(time)} ${time.getFullYear()}`,
  D: (_record, _thread, time) => date(time),
  x: (_record, _thread, time) => date(time),
  g: nothing,
  s: nothing,
  '#': nothing,
  '@': nothing,
  '!': nothing,
  '^': nothing,
  $: nothing,
};

/** Compiles a pattern. Unknown flags stay as they are, as in spdlog; `%8l`-like widths are understood. */
export function textLogFormat(pattern: string, escaped: boolean): LogLineFormatter {
  const parts: Field[] = [];
  let literal = '';
  const flush = (): void => {
    const text = literal;
    if (text !== '') parts.push(() => text);
    literal = '';
  };
  for (const match of pattern.matchAll(/%([-=]?)(\d*)([^\d])|[^%]+|%/g)) {
    const field = match[3] === undefined ? undefined : FIELDS[escaped && match[3] === 'v' ? '_' : match[3]];
    if (field === undefined) {
      literal += match[0];
      continue;
    }
    flush();
    parts.push(match[2] === '' ? field : padded(field, match[1] as string, Number(match[2])));
  }
  flush();
  return (record, thread, time) => {
    let line = '';
    for (const part of parts) line += part(record, thread, time);
    return line;
  };
}

function padded(field: Field, align: string, width: number): Field {
  return (record, thread, time) => {
    const text = field(record, thread, time);
    if (align === '-') return text.padEnd(width);
    if (align === '=')
      return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width);
    return text.padStart(width);
  };
}

/** `application_log_config.log_format.json_format`: one JSON object a line, string values as patterns. */
export function jsonLogFormat(format: Readonly<Record<string, unknown>>, path: string): LogLineFormatter {
  const fields = Object.entries(format).map(([key, value]): [string, LogLineFormatter] => {
    if (typeof value !== 'string') throw new ConfigError(`${path}.${key}`, 'only strings are supported');
    if (/%[v_]/.test(value)) {
      throw new ConfigError(
        `${path}.${key}`,
        'setJsonLogFormat error: the JSON log format contains unescaped %v or %_, use %j instead',
      );
    }
    return [key, textLogFormat(value.replaceAll('%j', '%v'), false)];
  });
  return (record, thread, time) =>
    JSON.stringify(Object.fromEntries(fields.map(([key, print]) => [key, print(record, thread, time)])));
}
