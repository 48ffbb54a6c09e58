// gRPC status codes: their names, where a response carries one, and what an HTTP code means to a gRPC client.
// Envoy: source/common/grpc/common.cc, status.cc; https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md.

import type { HeaderMap } from '../../api/http/header_map.ts';

/** Names by code as %GRPC_STATUS(CAMEL_STRING)% prints them. */
export const GRPC_STATUS_CAMEL: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** Names by code as configuration (GrpcStatusFilter) and %GRPC_STATUS(SNAKE_STRING)% have them. */
export const GRPC_STATUS_SNAKE: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

const UNKNOWN = 2;
const GRPC_CONTENT_TYPE = 'application/grpc';

/** Is it a gRPC message by its content-type (`application/grpc`, `application/grpc+proto`, ...)? */
export function hasGrpcContentType(headers: HeaderMap): boolean {
  const type = headers.get('content-type');
  if (type === undefined || !type.startsWith(GRPC_CONTENT_TYPE)) return false;
  return type.length === GRPC_CONTENT_TYPE.length || type[GRPC_CONTENT_TYPE.length] === '+';
}

/** The value of grpc-status: undefined when absent, -1 when it is not a number. */
export function grpcStatusOf(headers: HeaderMap | undefined): number | undefined {
  const text = headers?.get('grpc-status');
  if (text === undefined || text === '') return undefined;
  const code = Number(text);
  return Number.isInteger(code) && code >= 0 ? code : -1;
}

/** What a gRPC client makes of an HTTP code without grpc-status. */
export function httpToGrpcStatus(code: number): number {
  switch (code) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return UNKNOWN;
  }
}

/** The status of a finished gRPC call: from trailers, else headers, else from the HTTP code (0: none was sent). */
export function getGrpcStatus(
  trailers: HeaderMap | undefined,
  headers: HeaderMap | undefined,
  responseCode: number,
): number | undefined {
  const explicit = grpcStatusOf(trailers) ?? grpcStatusOf(headers);
  if (explicit !== undefined) return explicit;
  return responseCode === 0 ? undefined : httpToGrpcStatus(responseCode);
}

const HTTP_CODES: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The HTTP code that a gRPC status comes nearest to. Source: Grpc::Utility::grpcToHttpStatus. */
export function grpcToHttpStatus(status: number): number {
  return HTTP_CODES[status] ?? 500;
}
