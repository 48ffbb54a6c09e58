// Connections to one host whose handshake decides which protocol they speak (auto_config).
// Follows Envoy's source/common/http/mixed_conn_pool.cc (HttpConnPoolImplMixed).

import { ConnPoolBase } from './conn_pool_base.ts';
import { Http1ActiveClient } from './http1_conn_pool.ts';
import { Http2ActiveClient } from './http2_conn_pool.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

/** Streams that a connection is hoped to have room for until its protocol is known. */
const EXPECTED_STREAMS = 1;

export class MixedConnPool extends ConnPoolBase {
  protected override connect(): number {
    new ProtocolNegotiation(this);
    return EXPECTED_STREAMS;
  }
}

/** A connection until its handshake is over. */
class ProtocolNegotiation implements UpstreamConnectionOwner {
  private readonly pool: ConnPoolBase;
  private readonly upstream: UpstreamConnection;

  constructor(pool: ConnPoolBase) {
    this.pool = pool;
    const { cluster, host, options } = pool;
    this.upstream = new UpstreamConnection(
      cluster,
      host,
      options.priority,
      options.transportSocket,
      false,
      this,
    );
  }

  onUpstreamConnected(): void {
    const { pool, upstream } = this;
    const isHttp2 = upstream.connection.info.ssl?.alpn === 'h2';
    const client = isHttp2 ? new Http2ActiveClient(pool, upstream) : new Http1ActiveClient(pool, upstream);
    client.onConnected();
    pool.onConnected(client, EXPECTED_STREAMS);
  }

  onUpstreamConnectFailed(timeout: boolean): void {
    const reason = timeout ? 'Timeout' : 'RemoteConnectionFailure';
    this.pool.onConnectFailed(EXPECTED_STREAMS, reason, this.upstream.connection.transportFailureReason);
  }

  onUpstreamClosed(): void {
    // By then it has another owner.
  }
}
