// How a stream's reset is told to the peer, and a peer's reset to us.
// Envoy: reasonToReset and onStreamClose in source/common/http/http2/codec_impl.cc.

import type { CodecError, StreamResetReason } from '../../../api/http/codec.ts';
import { CANCEL, CONNECT_ERROR, INTERNAL_ERROR, PROTOCOL_ERROR, REFUSED_STREAM } from './frame.ts';

// Response code details. Source: Http2ResponseCodeDetailValues.
export const REMOTE_REFUSE = 'http2.remote_refuse';
export const REMOTE_RESET = 'http2.remote_reset';
export const INBOUND_EMPTY_FRAMES_FLOOD = 'http2.inbound_empty_frames_flood';

/** The code of an RST_STREAM of ours. A server that gives up says that it failed, a client that it does not want it any more. */
export function resetCode(reason: StreamResetReason, server: boolean): number {
  switch (reason) {
    case 'LocalRefusedStreamReset':
      return REFUSED_STREAM;
    case 'ConnectError':
      return CONNECT_ERROR;
    case 'ProtocolError':
      return PROTOCOL_ERROR;
    default:
      return server ? INTERNAL_ERROR : CANCEL;
  }
}

/** What the code of a peer's RST_STREAM means. */
export function remoteResetReason(code: number): StreamResetReason {
  switch (code) {
    case REFUSED_STREAM:
      return 'RemoteRefusedStreamReset';
    case CONNECT_ERROR:
      return 'ConnectError';
    case PROTOCOL_ERROR:
      return 'ProtocolError';
    default:
      return 'RemoteReset';
  }
}

/** An error of the connection as its owner hears of it; GOAWAY has been written. */
export function connectionError(message: string, flood: boolean): CodecError {
  return Object.freeze({
    status: 0,
    responseCodeDetails: `codec_error:${message.replaceAll(' ', '_')}`,
    message: `http/2 protocol error: ${message}`,
    flood,
  });
}
