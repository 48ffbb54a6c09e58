// Operators about HTTP messages: headers, path, query, gRPC status. Envoy: source/common/formatter/http_specific_formatter.cc.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import { GRPC_STATUS_CAMEL, GRPC_STATUS_SNAKE, getGrpcStatus, hasGrpcContentType } from '../grpc/status.ts';
import { type Command, type CommandCall, type CommandTable, number, text } from './command_table.ts';
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
  STREAM_INFO_REQ: requestHeader,
  RESP: responseHeader,
  RESPONSE_HEADER: responseHeader,
  TRAILER: responseTrailer,
  RESPONSE_TRAILER: responseTrailer,
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
