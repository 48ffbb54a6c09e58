// Operators about HTTP messages: headers, path, query, gRPC status. Envoy: source/common/formatter/http_specific_formatter.cc.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import { GRPC_STATUS_CAMEL, GRPC_STATUS_SNAKE, getGrpcStatus, hasGrpcContentType } from '../grpc/status.ts';
import {
  type Command,
  type CommandCall,
  type CommandTable,
  nonEmpty,
  number,
  text,
} from './command_table.ts';
import {
  type FormatterProvider,
  NumberFormatterProvider,
  StringFormatterProvider,
} from './formatter_provider.ts';

// RFC 9110 token, with the colon of a pseudo-header before it.
const HEADER_NAME = /^:?[-!#$%&'*+.^_`|~0-9A-Za-z]*$/;

/** The names in `MAIN?ALTERNATIVE`, lower-case; the alternative is '' where there is none. */
export function parseHeaderNames(argument: string, path: string): { main: string; alternative: string } {
  const names = argument.split('?');
  if (names.length > 2) {
    throw new ConfigError(path, `More than 1 alternative header specified in token: ${argument}`);
  }
  if (!names.every((name) => HEADER_NAME.test(name))) {
    throw new ConfigError(path, 'Invalid header configuration. Format string contains invalid characters.');
  }
  return { main: names[0].toLowerCase(), alternative: (names[1] ?? '').toLowerCase() };
}

/** The first value of one of two headers. */
export function headerValue(
  headers: HeaderMap | undefined,
  main: string,
  alternative: string,
): string | undefined {
  if (headers === undefined) return undefined;
  return headers.get(main) ?? (alternative === '' ? undefined : headers.get(alternative));
}

function header(side: (context: LogContext) => HeaderMap | undefined): Command {
  return {
    parameters: 'required',
    lengthAllowed: true,
    compile({ argument, maxLength, path }: CommandCall): FormatterProvider {
      const { main, alternative } = parseHeaderNames(argument, path);
      return new StringFormatterProvider(
        (context) => headerValue(side(context), main, alternative),
        maxLength,
      );
    },
  };
}

const requestHeader = header((context) => context.requestHeaders);
const responseHeader = header((context) => context.responseHeaders);
const responseTrailer = header((context) => context.responseTrailers);

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

/** 0–15, or NaN. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}

function compileGrpcStatus({ argument, path }: CommandCall): FormatterProvider {
  if (argument === 'NUMBER') return new NumberFormatterProvider(grpcStatus);
  if (argument !== '' && argument !== 'CAMEL_STRING' && argument !== 'SNAKE_STRING') {
    throw new ConfigError(
      path,
      `GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: ${argument}`,
    );
  }
  const names = argument === 'SNAKE_STRING' ? GRPC_STATUS_SNAKE : GRPC_STATUS_CAMEL;
  return new StringFormatterProvider((context) => {
    const status = grpcStatus(context);
    return status === undefined ? undefined : (names[status] ?? String(status));
  });
}

function grpcStatus({
  requestHeaders,
  responseHeaders,
  responseTrailers,
  streamInfo,
}: LogContext): number | undefined {
  if (requestHeaders === undefined || !hasGrpcContentType(requestHeaders)) return undefined;
  return getGrpcStatus(responseTrailers, responseHeaders, streamInfo.responseCode);
}

const SERVER_NAME_ORDERS = ['SNI_ONLY', 'SNI_FIRST', 'HOST_FIRST'];
const SERVER_NAME_HOSTS = ['ORIG_OR_HOST', 'HOST', 'ORIG'];

/** `%REQUESTED_SERVER_NAME(order:which host)%`. */
function compileRequestedServerName({ argument, path }: CommandCall): FormatterProvider {
  const [order, host = 'ORIG_OR_HOST'] = argument === '' ? ['SNI_ONLY'] : argument.split(':');
  checkOption('REQUESTED_SERVER_NAME', order, SERVER_NAME_ORDERS, path);
  checkOption('REQUESTED_SERVER_NAME', host, SERVER_NAME_HOSTS, path);
  const hostOf = ({ requestHeaders }: LogContext): string | undefined => {
    if (requestHeaders === undefined) return undefined;
    const original = host === 'HOST' ? undefined : requestHeaders.get('x-envoy-original-host');
    return original ?? (host === 'ORIG' ? undefined : requestHeaders.host);
  };
  if (order === 'SNI_ONLY') return new StringFormatterProvider(serverName);
  if (order === 'SNI_FIRST')
    return new StringFormatterProvider((context) => serverName(context) ?? hostOf(context));
  return new StringFormatterProvider((context) => hostOf(context) ?? serverName(context));
}

function checkOption(command: string, value: string, allowed: readonly string[], path: string): void {
  if (allowed.includes(value)) return;
  const list = allowed.map((name) => `'${name}'`).join('/');
  throw new ConfigError(path, `Invalid ${command} option: '${value}', only ${list} are allowed`);
}

/** The SNI; one with characters that no host name has is marked and cleaned, since clients write it into our logs. */
function serverName({ streamInfo }: LogContext): string | undefined {
  const name = streamInfo.connection.requestedServerName;
  if (name === '') return undefined;
  for (let i = 0; i < name.length; i++) {
    if (!isHostNameCharacter(name.charCodeAt(i))) return `invalid:${name.replace(/[^-.0-9A-Za-z]/g, '_')}`;
  }
  return name;
}

function isHostNameCharacter(code: number): boolean {
  const letter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
  return letter || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e;
}

export const HTTP_COMMANDS: CommandTable = {
  REQ: requestHeader,
  REQUEST_HEADER: requestHeader,
  RESP: responseHeader,
  RESPONSE_HEADER: responseHeader,
  TRAILER: responseTrailer,
  RESPONSE_TRAILER: responseTrailer,
  PATH: { parameters: 'optional', lengthAllowed: true, compile: compilePath },
  QUERY_PARAM: { parameters: 'required', lengthAllowed: true, compile: compileQueryParam },
  QUERY_PARAMS: { parameters: 'optional', lengthAllowed: true, compile: compileQueryParams },
  REQUESTED_SERVER_NAME: {
    parameters: 'optional',
    lengthAllowed: false,
    compile: compileRequestedServerName,
  },
  GRPC_STATUS: { parameters: 'optional', lengthAllowed: false, compile: compileGrpcStatus },
  GRPC_STATUS_NUMBER: number(grpcStatus),
  REQUEST_HEADERS_BYTES: number(({ requestHeaders }) => requestHeaders?.byteSize() ?? 0),
  RESPONSE_HEADERS_BYTES: number(({ responseHeaders }) => responseHeaders?.byteSize() ?? 0),
  RESPONSE_TRAILERS_BYTES: number(({ responseTrailers }) => responseTrailers?.byteSize() ?? 0),
  LOCAL_REPLY_BODY: text(({ localReplyBody }) => localReplyBody),
  ACCESS_LOG_TYPE: text(({ accessLogType }) => accessLogType),
};
