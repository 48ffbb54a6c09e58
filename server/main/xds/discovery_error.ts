// What a NACK says: every refused resource by name, field path and reason.
// Envoy: source/common/upstream/cds_api_helper.cc, source/common/listener_manager/lds_api.cc.

import type { ResourceType } from './resource_types.ts';
import type { RejectedResource } from './subscription.ts';

/** google.rpc.Code.INTERNAL: the code of every NACK of Envoy's. */
const INTERNAL = 13;

/** Envoy cuts messages so that they fit in a server's header limits (Config::Utility::truncateGrpcStatusMessage). */
const MAX_MESSAGE_LENGTH = 4096;

/** A response that is refused as a whole. */
export class DiscoveryError extends Error {}

/** The `error_detail` of a request. */
export interface ErrorDetail {
  readonly code: number;
  readonly message: string;
}

export function errorDetail(message: string): ErrorDetail {
  const cut = message.length > MAX_MESSAGE_LENGTH;
  return { code: INTERNAL, message: cut ? `${message.slice(0, MAX_MESSAGE_LENGTH)}...(truncated)` : message };
}

/** `Error adding/updating cluster(s) a: lb_policy: no such policy, b: ...`; undefined when nothing was refused. */
export function rejectionMessage(
  type: ResourceType,
  rejected: readonly RejectedResource[],
): string | undefined {
  if (rejected.length === 0) return undefined;
  const reasons = rejected.map(({ name, path, reason }) => [name, path, reason].filter(Boolean).join(': '));
  return `Error adding/updating ${type.label}(s) ${reasons.join(', ')}`;
}
