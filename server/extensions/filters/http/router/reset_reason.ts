// Why an upstream request ended early, in Envoy's words and response flags.
// Follows Envoy's Utility::resetReasonToString (source/common/http/utility.cc) and streamResetReasonToResponseFlag.

import type { StreamResetReason } from '../../../../api/http/codec.ts';
import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import { isGrpc } from '../../../../common/http/local_reply.ts';
import { ROUTER_STATS } from '../../../../common/stats/families/router.ts';
import type { RouterConfig } from './config.ts';

const REASONS: Readonly<Record<StreamResetReason, { readonly text: string; readonly flag: number }>> = {
  LocalReset: { text: 'local reset', flag: ResponseFlag.LocalReset },
  LocalRefusedStreamReset: { text: 'local refused stream reset', flag: ResponseFlag.LocalReset },
  RemoteReset: { text: 'remote reset', flag: ResponseFlag.UpstreamRemoteReset },
  RemoteRefusedStreamReset: { text: 'remote refused stream reset', flag: ResponseFlag.UpstreamRemoteReset },
  LocalConnectionFailure: { text: 'local connection failure', flag: ResponseFlag.UpstreamConnectionFailure },
  RemoteConnectionFailure: {
    text: 'remote connection failure',
    flag: ResponseFlag.UpstreamConnectionFailure,
  },
  ConnectionTimeout: { text: 'connection timeout', flag: ResponseFlag.UpstreamConnectionFailure },
  ConnectionTermination: { text: 'connection termination', flag: ResponseFlag.UpstreamConnectionTermination },
  Overflow: { text: 'overflow', flag: ResponseFlag.UpstreamOverflow },
  ConnectError: { text: 'remote error with CONNECT request', flag: ResponseFlag.UpstreamRemoteReset },
  ProtocolError: { text: 'protocol error', flag: ResponseFlag.UpstreamProtocolError },
  OverloadManager: { text: 'overload manager reset', flag: ResponseFlag.OverloadManager },
};

/** `remote connection failure`, ... */
export function resetReasonText(reason: StreamResetReason): string {
  return REASONS[reason].text;
}

export function responseFlagOf(reason: StreamResetReason): number {
  return REASONS[reason].flag;
}

/** What a client is told of it, and the response code details. `retried`: it was not the first attempt. */
export function resetReply(
  reason: StreamResetReason,
  transportFailure: string,
  retried: boolean,
): { readonly body: string; readonly details: string } {
  const text = resetReasonText(reason);
  const which = retried ? 'retried and the latest ' : '';
  const failure = transportFailure === '' ? '' : `|${transportFailure}`;
  return {
    body: `upstream connect error or disconnect/reset before headers. ${which}reset reason: ${text}`,
    details: `upstream_reset_before_response_started{${text}${failure}}`.replaceAll(' ', '_'),
  };
}

/** The client has a part of the response already: its stream ends. */
export function resetDownstream(
  callbacks: StreamDecoderFilterCallbacks,
  request: RequestHeaderMap,
  { stats }: RouterConfig,
  reason: StreamResetReason,
): void {
  if (isGrpc(request))
    stats.values[stats.base + ROUTER_STATS.offset.rq_reset_after_downstream_response_started]++;
  const text = resetReasonText(reason).replaceAll(' ', '_');
  callbacks.resetStream(`upstream_reset_after_response_started{${text}}`);
}
