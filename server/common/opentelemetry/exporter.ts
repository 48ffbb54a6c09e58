// Sends reports to the collector: as a POST of HTTP, or as a unary call of gRPC, which is a POST too.
// Envoy: source/extensions/tracers/opentelemetry/http_trace_exporter.cc, grpc_trace_exporter.cc; https://opentelemetry.io/docs/specs/otlp.

import type { FactoryContext } from '../../api/registry.ts';
import { type AsyncCallbacks, sendRequest } from '../http/async_client.ts';
import { RequestHeaders } from '../http/header_map.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { VERSION } from '../version.ts';

/** No compression, and four bytes of length. Source: gRPC over HTTP/2, Length-Prefixed-Message. */
const GRPC_PREFIX = 5;
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/#user-agent
const USER_AGENT = `OTel-OTLP-Exporter-Pilotfish/${VERSION}`;

/** Where reports go. */
export interface Collector {
  readonly protocol: 'http' | 'grpc';
  readonly cluster: string;
  readonly authority: string;
  /** Of HTTP's resource, or of gRPC's method. */
  readonly path: string;
  /** Names (lower-case) and values. */
  readonly headers: readonly (readonly [string, string])[];
  /** ms; 0 = none. */
  readonly timeoutMs: number;
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
    const head = new RequestHeaders('POST', path, authority, 'http', []);
    if (isGrpc) head.set('te', 'trailers');
    head.set('content-type', isGrpc ? 'application/grpc' : 'application/x-protobuf');
    head.set('user-agent', USER_AGENT);
    for (const [key, value] of headers) head.set(key, value);
    sendRequest(cluster, head, isGrpc ? framed(message) : message, timeoutMs, server.localIp, NOBODY);
    return true;
  }
}

function framed(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(GRPC_PREFIX + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, GRPC_PREFIX);
  return frame;
}
