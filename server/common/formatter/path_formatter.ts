// Operators about the path of a request and its query. Envoy: source/common/formatter/http_specific_formatter.cc.

import { ConfigError } from '../../api/config_error.ts';
import { type CommandCall, type CommandTable, nonEmpty } from './command_table.ts';
import { type FormatterProvider, StringFormatterProvider } from './formatter_provider.ts';

/** `%PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%`: with or without query, as the client sent it or as it is now. */
function compilePath({ argument, maxLength, path }: CommandCall): FormatterProvider {
  const [query, source = 'ORIG_OR_PATH'] = argument === '' ? ['WQ'] : argument.split(':');
  if (query !== 'WQ' && query !== 'NQ') {
    throw new ConfigError(path, `Invalid PATH option: '${query}', only 'WQ'/'NQ' are allowed`);
  }
  if (source !== 'ORIG' && source !== 'PATH' && source !== 'ORIG_OR_PATH') {
    throw new ConfigError(
      path,
      `Invalid PATH option: '${source}', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed`,
    );
  }
  return new StringFormatterProvider(({ requestHeaders }) => {
    if (requestHeaders === undefined) return undefined;
    const original = source === 'PATH' ? undefined : requestHeaders.get('x-envoy-original-path');
    const value = original ?? (source === 'ORIG' ? undefined : nonEmpty(requestHeaders.path));
    if (value === undefined || query === 'WQ') return value;
    const start = value.indexOf('?');
    return start < 0 ? value : value.slice(0, start);
  }, maxLength);
}

function compileQueryParam({ argument, maxLength }: CommandCall): FormatterProvider {
  return new StringFormatterProvider(({ requestHeaders }) => {
    const query = queryOf(requestHeaders?.path);
    return query === undefined ? undefined : queryParameter(query, argument);
  }, maxLength);
}

function compileQueryParams({ argument, maxLength, path }: CommandCall): FormatterProvider {
  if (argument !== '' && argument !== 'ORIG' && argument !== 'DECODED') {
    throw new ConfigError(
      path,
      `Invalid QUERY_PARAMS option: '${argument}', only 'ORIG'/'DECODED' are allowed`,
    );
  }
  const decoded = argument === 'DECODED';
  return new StringFormatterProvider(({ requestHeaders }) => {
    const query = queryOf(requestHeaders?.path);
    return query === undefined || !decoded ? query : decodeVisible(query);
  }, maxLength);
}

function queryOf(path: string | undefined): string | undefined {
  const start = path === undefined ? -1 : path.indexOf('?');
  return start < 0 ? undefined : path!.slice(start + 1);
}

/** The first value of a parameter, percent-decoded; undefined when it is not there. */
function queryParameter(query: string, name: string): string | undefined {
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (percentDecode(key) === name) return equals < 0 ? '' : percentDecode(pair.slice(equals + 1));
  }
  return undefined;
}

/** Escapes become bytes; what is not a whole escape stays. */
function percentDecode(value: string): string {
  if (!value.includes('%')) return value;
  return value.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Characters that no URL has in the open: their escapes stay. */
const NEVER_PLAIN = '"<>\\^{|}';

/** As Envoy decodes a whole query: escapes of visible characters become these, other escapes stay, a `%` of none goes. */
function decodeVisible(query: string): string {
  let text = '';
  for (let i = 0; i < query.length; i++) {
    if (query[i] !== '%' || i + 2 >= query.length) {
      text += query[i];
      continue;
    }
    const code = hexDigit(query.charCodeAt(i + 1)) * 16 + hexDigit(query.charCodeAt(i + 2));
    if (Number.isNaN(code)) continue;
    const character = String.fromCharCode(code);
    const visible = code > 0x20 && code < 0x7f && !NEVER_PLAIN.includes(character);
    text += visible ? character : query.slice(i, i + 3);
    i += 2;
  }
  return text;
}

/** 0 to 15, or NaN. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}

export const PATH_COMMANDS: CommandTable = {
  PATH: { parameters: 'optional', lengthAllowed: true, compile: compilePath },
  QUERY_PARAM: { parameters: 'required', lengthAllowed: true, compile: compileQueryParam },
  QUERY_PARAMS: { parameters: 'optional', lengthAllowed: true, compile: compileQueryParams },
};
