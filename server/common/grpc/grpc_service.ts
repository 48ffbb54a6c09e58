// A service of gRPC that the proxy itself calls: config.core.v3.GrpcService, of which `envoy_grpc` can be had on workers.
// Envoy: source/common/grpc/async_client_manager_impl.cc.

import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { latin1Of } from '../matcher/latin1.ts';

const HANDLED = new Set(['envoy_grpc', 'timeout', 'initial_metadata']);
const HANDLED_ENVOY_GRPC = new Set(['cluster_name', 'authority']);
/** No compression, and four bytes of length. Source: gRPC over HTTP/2, Length-Prefixed-Message. */
const PREFIX = 5;

/** A method, and where it is called. */
export interface GrpcService {
  readonly cluster: string;
  readonly authority: string;
  /** As `/package.Service/Method`. */
  readonly path: string;
  /** Names (lower-case) and values. */
  readonly headers: readonly (readonly [string, string])[];
  /** ms; 0 = none. */
  readonly timeoutMs: number;
}

/** `method`: as `/package.Service/Method`. Throws ConfigError. */
export function compileGrpcService(
  service: core.GrpcService,
  method: string,
  context: FactoryContext,
  path: string,
): GrpcService {
  rejectOtherFields(service, HANDLED, path);
  const { envoy_grpc: envoyGrpc } = service;
  const where = at(path, 'envoy_grpc');
  if (envoyGrpc === undefined) throw new ConfigError(where, 'value is required');
  rejectOtherFields(envoyGrpc, HANDLED_ENVOY_GRPC, where);
  const { cluster_name: cluster, authority } = envoyGrpc;
  context.checkCluster(cluster, at(where, 'cluster_name'));
  return {
    cluster,
    authority: authority || cluster,
    path: method,
    headers: configuredHeaders(service.initial_metadata),
    timeoutMs: durationMs(service.timeout) ?? 0,
  };
}

export function configuredHeaders(
  list: readonly (core.HeaderValue | undefined)[],
): readonly (readonly [string, string])[] {
  return list.map((header) => [(header?.key ?? '').toLowerCase(), latin1Of(header?.value ?? '')] as const);
}

/** The head of a call; the configured headers are for the caller to add. */
export function callHeaders({ path, authority }: Pick<GrpcService, 'path' | 'authority'>): RequestHeaderMap {
  const head = new RequestHeaders('POST', path, authority, 'http', []);
  head.set('te', 'trailers');
  head.set('content-type', 'application/grpc');
  return head;
}

/** A message as it goes over the wire. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(PREFIX + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX);
  return frame;
}
