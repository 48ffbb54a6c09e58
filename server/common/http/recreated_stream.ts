// A request that begins anew as another stream over the same stream of its client (an internal redirect): what the second keeps
// of the first. Envoy: StreamInfo::setFromForRecreateStream, and filter state with the life span of the request.

import type { StreamInfo } from '../../api/stream_info.ts';
import type { StreamInfoRecord } from '../stream_info/stream_info.ts';

/** The filter state that counts a request's internal redirects. */
export const INTERNAL_REDIRECTS = 'num_internal_redirect';

/** Copies what is known of the client and of its request's arrival. */
export function keepDownstream(from: StreamInfo, to: StreamInfoRecord): void {
  to.protocol = from.protocol;
  to.remoteAddress = from.remoteAddress;
  to.requestId = from.requestId;
  to.healthCheck = from.healthCheck;
  to.bytesReceived = from.bytesReceived;
  const redirects = from.filterState.get(INTERNAL_REDIRECTS);
  if (redirects !== undefined) to.filterState.set(INTERNAL_REDIRECTS, redirects);
}
