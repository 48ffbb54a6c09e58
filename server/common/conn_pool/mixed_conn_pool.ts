// Connections to one host whose handshake decides which protocol they speak (auto_config).
// Follows Envoy's source/common/http/mixed_conn_pool.cc (HttpConnPoolImplMixed).

import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { ConnPoolBase } from './conn_pool_base.ts';
import { connectToAny } from './connect_to_any.ts';
import { Http1ActiveClient } from './http1_conn_pool.ts';
import { Http2ActiveClient } from './http2_conn_pool.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Streams that a connection is hoped to have room for until its protocol is known. */
const EXPECTED_STREAMS = 1;

export class MixedConnPool extends ConnPoolBase {
  protected override connect(): number {
    if (this.host.otherIps.length > 0)
      return connectToAny(this, EXPECTED_STREAMS, (upstream) => new ProtocolNegotiation(this, upstream));
    new ProtocolNegotiation(this, undefined);
    return EXPECTED_STREAMS;
  }
}

/** A connection until its handshake is over. */
class ProtocolNegotiation implements UpstreamConnectionOwner {
  private readonly pool: ConnPoolBase;
  private readonly upstream: UpstreamConnection;

  /** Connects, or takes `upstream`, which is connected. */
  constructor(pool: ConnPoolBase, upstream: UpstreamConnection | undefined) {
    this.pool = pool;
    const { cluster, host, options } = pool;
    this.upstream =
      upstream ??
      new UpstreamConnection(cluster, host, options.priority, options.transportSocket, false, this);
  }

  onUpstreamConnected(): void {
    const { pool, upstream } = this;
    const isHttp2 = upstream.connection.info.ssl?.alpn === 'h2';
    const { values, base } = pool.cluster.stats;
    values[base + (isHttp2 ? STAT.upstream_cx_http2_total : STAT.upstream_cx_http1_total)]++;
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
