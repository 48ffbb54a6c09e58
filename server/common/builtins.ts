// Node's large modules as CommonJS would have them. An ES module's import of a built-in reads all its exports, also the lazy
// ones: webcrypto, the parsed root certificates, undici. That is 5 MB a thread for each, in a process whose memory is compared.

import type * as HttpModule from 'node:http';
import type * as Http2Module from 'node:http2';
import type * as TlsModule from 'node:tls';
import type * as ZlibModule from 'node:zlib';

export const crypto = process.getBuiltinModule('node:crypto');

/** Loaded with the first TLS connection: a worker without any does without it. */
export function nodeTls(): typeof TlsModule {
  return process.getBuiltinModule('node:tls');
}

/** Loaded with the first compressor. */
export function nodeZlib(): typeof ZlibModule {
  return process.getBuiltinModule('node:zlib');
}

/** Loaded with the first health check that speaks HTTP/1, and by express. */
export function nodeHttp(): typeof HttpModule {
  return process.getBuiltinModule('node:http');
}

/** Loaded with the first health check that speaks HTTP/2, and by grpc-js. */
export function nodeHttp2(): typeof Http2Module {
  return process.getBuiltinModule('node:http2');
}
