// What a compression library is to the filter that uses it. Envoy: envoy/compression/compressor/factory.h.

import type { Transform } from 'node:stream';

/** Makes compressors of one encoding with fixed settings. Shared by all streams. */
export interface CompressionLibrary {
  /** In content-encoding and accept-encoding: `gzip`. */
  readonly contentEncoding: string;
  /** Part of the names of stats, with a dot: `gzip.`. */
  readonly statsPrefix: string;
  /** A new one for one body: bytes in, bytes out, everything flushed after each write. */
  create(): Transform;
}
