// Short and long names of response flags, as %RESPONSE_FLAGS% and %RESPONSE_FLAGS_LONG% print them.
// Envoy: source/common/stream_info/utility.h (CORE_RESPONSE_FLAGS).

import type { StreamResetReason } from '../../api/http/codec.ts';
import { ResponseFlag } from '../../api/stream_info.ts';

interface FlagNames {
  readonly bit: number;
  readonly short: string;
  readonly long: string;
}

/**
 * In the order they are printed in. Envoy prints them as they were set: that a retry was one too many comes before what ended
 * the last attempt; other flags seldom meet.
 */
export const RESPONSE_FLAG_NAMES: readonly FlagNames[] = [
  { bit: ResponseFlag.UpstreamRetryLimitExceeded, short: 'URX', long: 'UpstreamRetryLimitExceeded' },
  { bit: ResponseFlag.FailedLocalHealthCheck, short: 'LH', long: 'FailedLocalHealthCheck' },
  { bit: ResponseFlag.NoHealthyUpstream, short: 'UH', long: 'NoHealthyUpstream' },
  { bit: ResponseFlag.UpstreamRequestTimeout, short: 'UT', long: 'UpstreamRequestTimeout' },
  { bit: ResponseFlag.LocalReset, short: 'LR', long: 'LocalReset' },
  { bit: ResponseFlag.UpstreamRemoteReset, short: 'UR', long: 'UpstreamRemoteReset' },
  { bit: ResponseFlag.UpstreamConnectionFailure, short: 'UF', long: 'UpstreamConnectionFailure' },
  { bit: ResponseFlag.UpstreamConnectionTermination, short: 'UC', long: 'UpstreamConnectionTermination' },
  { bit: ResponseFlag.UpstreamOverflow, short: 'UO', long: 'UpstreamOverflow' },
  { bit: ResponseFlag.NoRouteFound, short: 'NR', long: 'NoRouteFound' },
  { bit: ResponseFlag.DelayInjected, short: 'DI', long: 'DelayInjected' },
  { bit: ResponseFlag.FaultInjected, short: 'FI', long: 'FaultInjected' },
  { bit: ResponseFlag.RateLimited, short: 'RL', long: 'RateLimited' },
  { bit: ResponseFlag.UnauthorizedExternalService, short: 'UAEX', long: 'UnauthorizedExternalService' },
  { bit: ResponseFlag.RateLimitServiceError, short: 'RLSE', long: 'RateLimitServiceError' },
  { bit: ResponseFlag.DownstreamConnectionTermination, short: 'DC', long: 'DownstreamConnectionTermination' },
  { bit: ResponseFlag.StreamIdleTimeout, short: 'SI', long: 'StreamIdleTimeout' },
  { bit: ResponseFlag.InvalidEnvoyRequestHeaders, short: 'IH', long: 'InvalidEnvoyRequestHeaders' },
  { bit: ResponseFlag.DownstreamProtocolError, short: 'DPE', long: 'DownstreamProtocolError' },
  {
    bit: ResponseFlag.UpstreamMaxStreamDurationReached,
    short: 'UMSDR',
    long: 'UpstreamMaxStreamDurationReached',
  },
  { bit: ResponseFlag.ResponseFromCacheFilter, short: 'RFCF', long: 'ResponseFromCacheFilter' },
  { bit: ResponseFlag.NoFilterConfigFound, short: 'NFCF', long: 'NoFilterConfigFound' },
  { bit: ResponseFlag.DurationTimeout, short: 'DT', long: 'DurationTimeout' },
  { bit: ResponseFlag.UpstreamProtocolError, short: 'UPE', long: 'UpstreamProtocolError' },
  { bit: ResponseFlag.NoClusterFound, short: 'NC', long: 'NoClusterFound' },
  { bit: ResponseFlag.OverloadManager, short: 'OM', long: 'OverloadManagerTerminated' },
  { bit: ResponseFlag.DnsResolutionFailed, short: 'DF', long: 'DnsResolutionFailed' },
  { bit: ResponseFlag.DropOverLoad, short: 'DO', long: 'DropOverload' },
  { bit: ResponseFlag.DownstreamRemoteReset, short: 'DR', long: 'DownstreamRemoteReset' },
  { bit: ResponseFlag.UnconditionalDropOverload, short: 'UDO', long: 'UnconditionalDropOverload' },
];

/** The TCP proxy sets URX after what ended the last attempt: there the order is that of the bits. */
const TCP_FLAG_NAMES: readonly FlagNames[] = RESPONSE_FLAG_NAMES.toSorted((a, b) => a.bit - b.bit);

/** `URX,UF` (`UF,URX` of a TCP connection), or `-` when no flag is set. */
export function responseFlagsToShortString(flags: number, tcp = false): string {
  return flags === 0 ? '-' : joinNames(flags, 'short', tcp);
}

/** `UpstreamRetryLimitExceeded,UpstreamConnectionFailure`, or `-` when no flag is set. */
export function responseFlagsToString(flags: number, tcp = false): string {
  return flags === 0 ? '-' : joinNames(flags, 'long', tcp);
}

/** The bit of a short name (`UF`), or undefined for a name that Envoy does not know. */
export function responseFlagFromShortString(name: string): number | undefined {
  return RESPONSE_FLAG_NAMES.find((flag) => flag.short === name)?.bit;
}

/** The flag of a request that ended early on the client's side. Envoy: ActiveStream::onResetStream. */
export function downstreamResetFlag(reason: StreamResetReason): number {
  switch (reason) {
    case 'ProtocolError':
      return ResponseFlag.DownstreamProtocolError;
    case 'ConnectionTermination':
      return ResponseFlag.DownstreamConnectionTermination;
    default:
      return ResponseFlag.DownstreamRemoteReset;
  }
}

function joinNames(flags: number, form: 'short' | 'long', tcp: boolean): string {
  let text = '';
  for (const flag of tcp ? TCP_FLAG_NAMES : RESPONSE_FLAG_NAMES) {
    if ((flags & flag.bit) === 0) continue;
    text = text === '' ? flag[form] : `${text},${flag[form]}`;
  }
  return text;
}
