// Answers that the proxy gives itself: text or JSON as local_reply_config says, a gRPC status for gRPC clients.
// Follows Envoy's source/common/local_reply/local_reply.cc and Utility::prepareLocalReply (source/common/http/utility.cc).

import type { AccessLogFilter, Formatter, LogContext } from '../../api/access_log.ts';
import type { LocalReplyOptions } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { HeaderParser } from '../router/header_parser.ts';
import { ResponseHeaders } from './header_map.ts';

/** A body format with its content type. */
export interface BodyFormat {
  readonly formatter: Formatter;
  readonly contentType: string;
}

/** One entry of local_reply_config.mappers. */
export interface LocalReplyMapper {
  readonly filter: AccessLogFilter;
  readonly statusCode: number | undefined;
  readonly body: string | undefined;
  readonly headers: HeaderParser | undefined;
  readonly bodyFormat: BodyFormat | undefined;
}

/** A finished local reply. `body` is the text before formatting (LOCAL_REPLY_BODY). */
export interface PreparedReply {
  readonly headers: ResponseHeaderMap;
  readonly body: string;
  readonly bytes: Uint8Array;
}

/** The stream a reply is made for: as the log sees it, with the body put where LOCAL_REPLY_BODY finds it. */
export interface LocalReplyStream extends LogContext {
  localReplyBody: string;
  responseHeaders: ResponseHeaderMap | undefined;
}

/** HTTP status to gRPC status. Source: grpc/doc/http-grpc-status-mapping.md, with Envoy's additions for 429. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const UNKNOWN = 2;
/** What a gRPC client is told of a limit of time, whatever the HTTP code. */
export const DEADLINE_EXCEEDED: LocalReplyOptions = Object.freeze({ grpcStatus: 4 });
const NO_BYTES = new Uint8Array(0);

export class LocalReply {
  private readonly mappers: readonly LocalReplyMapper[];
  private readonly bodyFormat: BodyFormat | undefined;

  constructor(mappers: readonly LocalReplyMapper[], bodyFormat: BodyFormat | undefined) {
    this.mappers = mappers;
    this.bodyFormat = bodyFormat;
  }

  /** Makes the reply. Sets the stream's response headers and body while formats are evaluated. */
  create(
    stream: LocalReplyStream,
    code: number,
    text: string,
    request: RequestHeaderMap,
    options: LocalReplyOptions | undefined,
  ): PreparedReply {
    const headers = new ResponseHeaders(code);
    options?.modifyHeaders?.(headers);
    const grpc = isGrpc(request);
    stream.responseHeaders = headers;
    stream.localReplyBody = text;
    stream.streamInfo.responseCode = code;
    let body = text;
    let format = this.bodyFormat;
    for (const mapper of this.mappers) {
      if (!mapper.filter.evaluate(stream)) continue;
      if (mapper.body !== undefined) stream.localReplyBody = body = mapper.body;
      mapper.headers?.evaluateResponseHeaders(headers, request, stream.streamInfo);
      if (mapper.statusCode !== undefined) {
        headers.status = mapper.statusCode;
        stream.streamInfo.responseCode = mapper.statusCode;
      }
      if (mapper.bodyFormat !== undefined) format = mapper.bodyFormat;
      break;
    }
    const formatted = format === undefined ? body : format.formatter.format(stream);
    if (grpc) return this.grpcReply(headers, body, formatted, options);
    if (formatted === '') return { headers, body, bytes: NO_BYTES };
    const bytes = Buffer.from(formatted, 'latin1');
    headers.set('content-length', String(bytes.length));
    if (format !== undefined) headers.set('content-type', format.contentType);
    else if (!headers.has('content-type')) headers.append('content-type', 'text/plain');
    return { headers, body, bytes };
  }

  private grpcReply(
    headers: ResponseHeaders,
    body: string,
    message: string,
    options: LocalReplyOptions | undefined,
  ): PreparedReply {
    const status = options?.grpcStatus ?? GRPC_STATUS[headers.status] ?? UNKNOWN;
    headers.status = 200;
    headers.set('content-type', 'application/grpc');
    headers.set('grpc-status', String(status));
    if (message !== '') headers.set('grpc-message', percentEncode(message));
    return { headers, body, bytes: NO_BYTES };
  }
}

/** Is this a gRPC request? `application/grpc` or `application/grpc+...`. Envoy: Grpc::Common::hasGrpcContentType. */
export function isGrpc(headers: RequestHeaderMap): boolean {
  const type = headers.get('content-type');
  return type?.startsWith('application/grpc') === true && (type.length === 16 || type.charCodeAt(16) === 43);
}

/** grpc-message's percent encoding: everything but printable ASCII, and `%` itself. */
function percentEncode(text: string): string {
  return text.replace(
    /[^ -$&-~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
