// The phases of a request for a waterfall, from the stamps of its StreamInfo. Phases that it never reached are left out; one that
// was going on when it ended ends there. docs/explain.md tells what each means.

import type { StreamInfo } from '../../api/stream_info.ts';

export interface Phase {
  readonly name: PhaseName;
  /** ms since the request began; an upstream connection may be older. */
  readonly start_ms: number;
  readonly end_ms: number;
}

export type PhaseName =
  | 'receive_request'
  | 'choose_and_wait'
  | 'connect'
  | 'handshake'
  | 'send_request'
  | 'wait_for_response'
  | 'receive_response'
  | 'send_response';

export function phasesOf(info: StreamInfo): Phase[] {
  const phases: Phase[] = [];
  const begin = info.startTimeMonotonic;
  const end = info.requestComplete;
  const add = (name: PhaseName, from: number, to: number): void => {
    if (from === 0) return;
    const last = to === 0 ? end : to;
    phases.push({ name, start_ms: since(begin, from), end_ms: since(begin, Math.max(from, last)) });
  };
  add('receive_request', begin, info.downstreamRxComplete);
  if (info.upstreamHost !== undefined) {
    add('choose_and_wait', begin, info.firstUpstreamTxByte);
    // A connection that was there before cost this request nothing.
    if (info.upstreamConnectStart >= begin) {
      add('connect', info.upstreamConnectStart, info.upstreamConnectEnd);
      if (info.upstreamHandshakeEnd > info.upstreamConnectEnd)
        add('handshake', info.upstreamConnectEnd, info.upstreamHandshakeEnd);
    }
    const sent = Math.max(info.lastUpstreamTxByte, info.firstUpstreamTxByte);
    add('send_request', info.firstUpstreamTxByte, sent);
    add('wait_for_response', sent, info.firstUpstreamRxByte);
    add('receive_response', info.firstUpstreamRxByte, info.lastUpstreamRxByte);
  }
  add('send_response', info.downstreamTxFirstByte, info.downstreamTxLastByte);
  return phases;
}

function since(begin: number, at: number): number {
  return Math.round((at - begin) * 1000) / 1000;
}
