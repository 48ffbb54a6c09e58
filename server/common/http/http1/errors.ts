// What can be wrong with an HTTP/1 message. Details and statuses are those that Envoy 1.40 answered; see tests/differential/http1_cases.ts.
// Envoy: Http1ResponseCodeDetails in source/common/http/http1/codec_impl.cc.

import type { CodecError } from '../../../api/http/codec.ts';

function error(status: number, responseCodeDetails: string, message: string): CodecError {
  return Object.freeze({ status, responseCodeDetails, message });
}

export const CODEC_ERROR = error(400, 'http1.codec_error', 'http/1.1 protocol error: malformed message head');
export const INVALID_CHUNK = error(
  400,
  'http1.codec_error',
  'http/1.1 protocol error: HPE_INVALID_CHUNK_SIZE',
);
export const INVALID_METHOD = error(400, 'http1.codec_error', 'http/1.1 protocol error: HPE_INVALID_METHOD');
export const INVALID_CONTENT_LENGTH = error(
  400,
  'http1.codec_error',
  'http/1.1 protocol error: HPE_INVALID_CONTENT_LENGTH',
);
export const MULTIPLE_CONTENT_LENGTHS = error(
  400,
  'http1.codec_error',
  'http/1.1 protocol error: HPE_UNEXPECTED_CONTENT_LENGTH',
);
export const PREMATURE_RESPONSE = error(
  0,
  'http1.codec_error',
  'http/1.1 protocol error: premature response',
);
export const UNEXPECTED_EOF = error(0, 'http1.codec_error', 'http/1.1 protocol error: HPE_INVALID_EOF_STATE');
export const INVALID_CHARACTERS = error(
  400,
  'http1.invalid_characters',
  'http/1.1 protocol error: header value contains invalid chars',
);
export const HEADERS_TOO_LARGE = error(
  431,
  'http1.headers_too_large',
  'http/1.1 protocol error: headers size exceeds limit',
);
export const TRAILERS_TOO_LARGE = error(
  431,
  'http1.headers_too_large',
  'http/1.1 protocol error: trailers size exceeds limit',
);
export const TOO_MANY_HEADERS = error(
  431,
  'http1.too_many_headers',
  'http/1.1 protocol error: headers count exceeds limit',
);
export const TOO_MANY_TRAILERS = error(
  431,
  'http1.too_many_headers',
  'http/1.1 protocol error: trailers count exceeds limit',
);
export const UNEXPECTED_UNDERSCORE = error(
  400,
  'http1.unexpected_underscore',
  'http/1.1 protocol error: header name contains underscores',
);
export const CONNECTION_HEADER_REJECTED = error(
  400,
  'http1.connection_header_rejected',
  'Invalid nominated headers in Connection.',
);
export const INVALID_TRANSFER_ENCODING = error(
  501,
  'http1.invalid_transfer_encoding',
  'http/1.1 protocol error: unsupported transfer encoding',
);
export const CONTENT_LENGTH_AND_CHUNKED = error(
  400,
  'http1.content_length_and_chunked_not_allowed',
  'http/1.1 protocol error: both Content-Length and Transfer-Encoding headers are set',
);
export const BODY_DISALLOWED = error(
  400,
  'http1.body_disallowed',
  'http/1.1 protocol error: unsupported content length',
);
export const TRANSFER_ENCODING_NOT_ALLOWED = error(
  0,
  'http1.transfer_encoding_not_allowed',
  'http/1.1 protocol error: transfer encoding not allowed in 1xx or 204',
);
export const CONTENT_LENGTH_NOT_ALLOWED = error(
  0,
  'http1.content_length_not_allowed',
  'http/1.1 protocol error: content length not allowed in 1xx or 204',
);
export const INVALID_URL = error(
  400,
  'http1.invalid_url',
  'http/1.1 protocol error: invalid url in request line',
);
export const INVALID_TARGET = error(400, 'http1.codec_error', 'http/1.1 protocol error: HPE_INVALID_URL');
export const INVALID_SCHEME = error(
  400,
  'http1.invalid_scheme',
  'http/1.1 protocol error: invalid scheme in request line',
);
export const INVALID_AUTHORITY = error(
  400,
  'http.invalid_authority',
  'http/1.1 protocol error: request headers failed spec compliance checks',
);
export const LOW_VERSION = error(426, 'low_version', 'HTTP/1.0 is not accepted');
export const PIPELINE_OVERFLOW = error(400, 'http1.codec_error', 'Too many responses queued.');
