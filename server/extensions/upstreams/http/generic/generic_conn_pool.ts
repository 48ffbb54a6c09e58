// Where the router gets an upstream for a request from: a pool of HTTP connections, or a TCP connection where CONNECT ends
// here. Envoy: source/extensions/upstreams/http/generic/config.cc.

import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { RouteEntry } from '../../../../api/router.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { GenericConnPool } from '../../../../common/conn_pool/http_conn_pool.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import { TcpConnPool } from '../tcp/tcp_upstream.ts';

/** `cluster` is the one that chose the host, which may be of another. Undefined: see ThreadLocalCluster.httpPool. */
export function genericConnPool(
  cluster: ThreadLocalCluster,
  host: Host,
  { connectConfig, priority }: RouteEntry,
  headers: RequestHeaderMap,
  info: StreamInfo,
): GenericConnPool | undefined {
  const tcp =
    connectConfig !== undefined &&
    (headers.method === 'CONNECT' || (connectConfig.allowPost && headers.method === 'POST'));
  const owner = cluster.ownerOf(host);
  if (!tcp) return owner.httpPool(host, priority, info, headers);
  const { remoteAddress: source, localAddress: destination } = info.connection;
  const options = owner.tcpOptions(host, info);
  return new TcpConnPool(owner, host, options, connectConfig, { source, destination });
}
