// Writes down that an attempt was given up for another one, and what ended it. Only requests that are tried again come here.

import type { StreamResetReason } from '../../../../api/http/codec.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { HostDescription } from '../../../../api/upstream/host.ts';
import { noteAttempt } from '../../../../common/stream_info/attempt_log.ts';
import { resetReasonText } from './reset_reason.ts';

/** `status`: of its response, where it had one. */
export function noteGivenUp(
  info: StreamInfo,
  host: HostDescription,
  status: number | undefined,
  late: boolean,
  reason: StreamResetReason,
): void {
  const failure = info.upstreamTransportFailureReason;
  let outcome = status === undefined ? resetReasonText(reason) : String(status);
  if (late) outcome = 'per try timeout';
  else if (status === undefined && failure !== '') outcome += `: ${failure}`;
  noteAttempt(info, host.address.text, outcome);
}
