// @grpc/grpc-js, loaded when the first stream or server needs it: a proxy whose configuration is a file does without its 8 MB.

import { createRequire } from 'node:module';

type GrpcJs = typeof import('@grpc/grpc-js');

const require = createRequire(import.meta.url);
let loaded: GrpcJs | undefined;

export function grpcJs(): GrpcJs {
  return (loaded ??= require('@grpc/grpc-js') as GrpcJs);
}
