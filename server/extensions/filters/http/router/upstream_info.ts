// What a stream's info says of the connection that an attempt was given. Envoy: UpstreamRequest::onPoolReady.

import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { UpstreamProtocol } from '../../../../common/conn_pool/http_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import type { Host } from '../../../../common/upstream/host.ts';

export function noteConnection(
  info: StreamInfo,
  host: Host,
  upstream: UpstreamConnection,
  protocol: UpstreamProtocol,
): void {
  info.upstreamHost = host;
  info.upstreamConnectStart = upstream.connectStart;
  info.upstreamConnectEnd = upstream.connectEnd;
  info.upstreamHandshakeEnd = upstream.handshakeEnd;
  info.upstreamConnection = upstream.connection.info;
  info.upstreamProtocol = protocol;
}
