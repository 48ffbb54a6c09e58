// The timeouts of a RouteAction, compiled. Envoy: buildOptionalTimeouts in source/common/router/config_impl.cc.

import type { RouteAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import type { RouteEntry } from '../../api/router.ts';
import { milliseconds, optionalMilliseconds } from './durations.ts';

/** RouteAction.timeout. */
const DEFAULT_TIMEOUT_MS = 15_000;

type Timeouts = Pick<
  RouteEntry,
  | 'timeoutMs'
  | 'idleTimeoutMs'
  | 'flushTimeoutMs'
  | 'maxStreamDurationMs'
  | 'grpcTimeoutHeaderMaxMs'
  | 'grpcTimeoutHeaderOffsetMs'
  | 'maxGrpcTimeoutMs'
  | 'grpcTimeoutOffsetMs'
>;

export function compileTimeouts(action: RouteAction, path: string): Timeouts {
  const duration = action.max_stream_duration;
  const inside = at(path, 'max_stream_duration');
  const headerMax = at(inside, 'grpc_timeout_header_max');
  const headerOffset = at(inside, 'grpc_timeout_header_offset');
  const maxGrpcTimeout = optionalMilliseconds(action.max_grpc_timeout, at(path, 'max_grpc_timeout'));
  const grpcTimeoutOffset = optionalMilliseconds(action.grpc_timeout_offset, at(path, 'grpc_timeout_offset'));
  return {
    timeoutMs: action.timeout ? milliseconds(action.timeout, at(path, 'timeout')) : DEFAULT_TIMEOUT_MS,
    idleTimeoutMs: optionalMilliseconds(action.idle_timeout, at(path, 'idle_timeout')),
    flushTimeoutMs: optionalMilliseconds(action.flush_timeout, at(path, 'flush_timeout')),
    maxStreamDurationMs: optionalMilliseconds(
      duration?.max_stream_duration,
      at(inside, 'max_stream_duration'),
    ),
    grpcTimeoutHeaderMaxMs: optionalMilliseconds(duration?.grpc_timeout_header_max, headerMax),
    grpcTimeoutHeaderOffsetMs: optionalMilliseconds(duration?.grpc_timeout_header_offset, headerOffset) ?? 0,
    // Envoy looks at the deprecated pair only where max_stream_duration is absent.
    maxGrpcTimeoutMs: duration === undefined ? maxGrpcTimeout : undefined,
    grpcTimeoutOffsetMs: grpcTimeoutOffset ?? 0,
  };
}
