// Which protocol a new downstream connection speaks: what ALPN agreed on, else what its first bytes say.
// Envoy: ConnectionManagerUtility::determineNextProtocol and autoCreateCodec (source/common/http/conn_manager_utility.cc).

import type { ConnectionInfo } from '../../api/stream_info.ts';

export type CodecType = 'AUTO' | 'HTTP1' | 'HTTP2';

/** Every HTTP/2 connection begins with these (RFC 9113 3.4), and no request of HTTP/1 that we would take does. */
const PREFACE = Buffer.from('PRI * HTTP/2');

/** Undefined while the bytes may become either: then the next call gets them again, with more behind them. */
export function selectCodec(
  type: CodecType,
  { ssl }: ConnectionInfo,
  bytes: Uint8Array,
  start: number,
  end: number,
): 'HTTP1' | 'HTTP2' | undefined {
  if (type !== 'AUTO') return type;
  if (ssl !== undefined && ssl.alpn !== '') return ssl.alpn === 'h2' ? 'HTTP2' : 'HTTP1';
  const length = Math.min(end - start, PREFACE.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== PREFACE[i]) return 'HTTP1';
  return length === PREFACE.length ? 'HTTP2' : undefined;
}
