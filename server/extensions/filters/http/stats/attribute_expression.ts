// The expressions of metric dimensions: one attribute (`request.method`, `request.headers['x']`) or a literal, the part of
// CEL that Istio's telemetry examples use. Anything more is refused by name, never guessed.
// Attributes: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes.

import { ConfigError } from '../../../../api/config_error.ts';
import type {
  HeaderMap,
  RequestHeaderMap,
  ResponseHeaderMap,
  TrailerMap,
} from '../../../../api/http/header_map.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import { getGrpcStatus } from '../../../../common/grpc/status.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';

/** What attributes are taken from. */
export interface AttributeContext {
  readonly requestHeaders: RequestHeaderMap | undefined;
  readonly responseHeaders: ResponseHeaderMap | undefined;
  readonly responseTrailers: TrailerMap | undefined;
  readonly streamInfo: StreamInfo;
}

type Value = string | number | boolean | undefined;
type Extractor = (context: AttributeContext) => Value;

/** Evaluates to undefined where the attribute is absent. */
export type AttributeExpression = Extractor;

const some = (value: string): Value => (value === '' ? undefined : value);

const ATTRIBUTES: Readonly<Record<string, Extractor>> = {
  'request.path': ({ requestHeaders }) => requestHeaders?.path,
  'request.url_path': ({ requestHeaders }) => requestHeaders?.path.split('?', 1)[0],
  'request.query': ({ requestHeaders }) => queryOf(requestHeaders?.path),
  'request.host': ({ requestHeaders }) => requestHeaders?.host,
  'request.scheme': ({ requestHeaders }) => requestHeaders?.scheme,
  'request.method': ({ requestHeaders }) => requestHeaders?.method,
  'request.referer': ({ requestHeaders }) => requestHeaders?.get('referer'),
  'request.useragent': ({ requestHeaders }) => requestHeaders?.get('user-agent'),
  'request.id': ({ requestHeaders }) => requestHeaders?.get('x-request-id'),
  'request.protocol': ({ streamInfo }) => some(streamInfo.protocol),
  'request.size': ({ streamInfo }) => streamInfo.bytesReceived,
  'request.total_size': ({ streamInfo, requestHeaders }) =>
    streamInfo.bytesReceived + (requestHeaders?.byteSize() ?? 0),
  'response.code': ({ streamInfo }) => streamInfo.responseCode || undefined,
  'response.code_details': ({ streamInfo }) => some(streamInfo.responseCodeDetails),
  'response.flags': ({ streamInfo }) => streamInfo.responseFlags,
  'response.grpc_status': ({ responseTrailers, responseHeaders, streamInfo }) =>
    getGrpcStatus(responseTrailers, responseHeaders, streamInfo.responseCode),
  'response.size': ({ streamInfo }) => streamInfo.bytesSent,
  'response.total_size': ({ streamInfo, responseHeaders }) =>
    streamInfo.bytesSent + (responseHeaders?.byteSize() ?? 0),
  'source.address': ({ streamInfo }) => streamInfo.remoteAddress.text,
  'source.port': ({ streamInfo }) => streamInfo.remoteAddress.port,
  'destination.address': ({ streamInfo }) => streamInfo.connection.localAddress.text,
  'destination.port': ({ streamInfo }) => streamInfo.connection.localAddress.port,
  'connection.id': ({ streamInfo }) => streamInfo.connection.id,
  'connection.mtls': ({ streamInfo }) => streamInfo.connection.ssl?.peerCertificatePresented ?? false,
  'connection.requested_server_name': ({ streamInfo }) => some(streamInfo.connection.requestedServerName),
  'connection.tls_version': ({ streamInfo }) => streamInfo.connection.ssl?.tlsVersion,
  'connection.subject_peer_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.subjectPeer,
  'connection.subject_local_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.subjectLocal,
  'connection.uri_san_peer_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.uriSanPeer[0],
  'connection.uri_san_local_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.uriSanLocal[0],
  'connection.dns_san_peer_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.dnsSanPeer[0],
  'connection.dns_san_local_certificate': ({ streamInfo }) => streamInfo.connection.ssl?.dnsSanLocal[0],
  'connection.termination_details': ({ streamInfo }) => some(streamInfo.connectionTerminationDetails),
  'upstream.address': ({ streamInfo }) => streamInfo.upstreamHost?.address.text,
  'upstream.port': ({ streamInfo }) => streamInfo.upstreamHost?.address.port,
  'upstream.local_address': ({ streamInfo }) => streamInfo.upstreamConnection?.localAddress.text,
  'upstream.transport_failure_reason': ({ streamInfo }) => some(streamInfo.upstreamTransportFailureReason),
  'upstream.request_attempt_count': ({ streamInfo }) => streamInfo.upstreamRequestAttemptCount,
  'xds.cluster_name': ({ streamInfo }) => some(streamInfo.upstreamClusterName),
  'xds.route_name': ({ streamInfo }) => some(streamInfo.routeName),
  'xds.virtual_host_name': ({ streamInfo }) => some(streamInfo.virtualHostName),
  'xds.filter_chain_name': ({ streamInfo }) => some(streamInfo.connection.filterChainName),
};

const HEADER = /^(request|response)\.headers\s*\[\s*(['"])([^'"]+)\2\s*\]$/;
const STRING_LITERAL = /^(['"])([^'"\\]*)\1$/;
const NUMBER_LITERAL = /^\d+$/;

/** Compiles an expression. Throws ConfigError for what is more than an attribute or a literal. */
export function compileAttributeExpression(text: string, path: string): AttributeExpression {
  const expression = text.trim();
  if (Object.hasOwn(ATTRIBUTES, expression)) return ATTRIBUTES[expression];
  const header = HEADER.exec(expression);
  if (header !== null) return headerExtractor(header[1], latin1Of(header[3]).toLowerCase());
  const literal = STRING_LITERAL.exec(expression);
  if (literal !== null) return () => literal[2];
  if (NUMBER_LITERAL.test(expression)) return () => Number(expression);
  throw new ConfigError(path, `unsupported expression '${text}': only attributes and literals are`);
}

function headerExtractor(side: string, name: string): Extractor {
  const value = (headers: HeaderMap | undefined): Value => headers?.getAll(name);
  return side === 'request'
    ? (context) => value(context.requestHeaders)
    : (context) => value(context.responseHeaders);
}

function queryOf(path: string | undefined): Value {
  const start = path?.indexOf('?') ?? -1;
  return start < 0 ? '' : path!.slice(start + 1);
}
