// Sends reports to the collector: as a POST of HTTP, or as a unary call of gRPC, which is a POST too.
// Envoy: source/extensions/tracers/opentelemetry/http_trace_exporter.cc, grpc_trace_exporter.cc; https://opentelemetry.io/docs/specs/otlp.

import type { FactoryContext } from '../../api/registry.ts';
import { callHeaders, framed, type GrpcService } from '../grpc/grpc_service.ts';
import { type AsyncCallbacks, sendRequest } from '../http/async_client.ts';
import { RequestHeaders } from '../http/header_map.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { VERSION } from '../version.ts';

// https://opentelemetry.io/docs/specs/otel/protocol/exporter/#user-agent
const USER_AGENT = `OTel-OTLP-Exporter-Pilotfish/${VERSION}`;

/** Where reports go. `path` is that of HTTP's resource, or of gRPC's method. */
export interface Collector extends GrpcService {
  readonly protocol: 'http' | 'grpc';
}

/** Nobody acts on how a report ended: its spans are gone either way. */
const NOBODY: AsyncCallbacks = { onSuccess: () => undefined, onFailure: () => undefined };

export class Exporter {
  private readonly collector: Collector;
  private readonly context: FactoryContext;

  constructor(collector: Collector, context: FactoryContext) {
    this.collector = collector;
    this.context = context;
  }

  /** False when there is no such cluster. */
  send(message: Uint8Array): boolean {
    const { clusterManager, server } = this.context;
    const { protocol, cluster: name, authority, path, headers, timeoutMs } = this.collector;
    const cluster = clusterManager.getCluster(name) as ThreadLocalCluster | undefined;
    if (cluster === undefined) return false;
    const isGrpc = protocol === 'grpc';
    const head = isGrpc
      ? callHeaders({ path, authority })
      : new RequestHeaders('POST', path, authority, 'http', ['content-type', 'application/x-protobuf']);
    head.set('user-agent', USER_AGENT);
    for (const [key, value] of headers) head.set(key, value);
    sendRequest(cluster, head, isGrpc ? framed(message) : message, timeoutMs, server.localIp, NOBODY);
    return true;
  }
}
