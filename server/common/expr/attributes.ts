// What CEL expressions are about: Envoy's attributes of a stream. Nothing is gathered before an expression asks for it.
// Envoy: source/extensions/filters/common/expr/context.cc;
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes.

import type { LogContext } from '../../api/access_log.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { Address, FilterState, FilterStateObject, SslConnectionInfo } from '../../api/stream_info.ts';
import type { Locality } from '../../api/upstream/host.ts';
import { getGrpcStatus } from '../grpc/status.ts';
import { isAscii } from '../matcher/latin1.ts';
import { type CelInput, celUint, durationFromMs, timestampFromMs } from './cel.ts';

type Extractor = (context: LogContext) => CelInput | undefined;
type Table = Readonly<Record<string, Extractor>>;
type Metadata = Readonly<Record<string, unknown>> | undefined;

/** Header values are byte text, CEL's are Unicode. */
function unicode(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}

const some = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : unicode(text);
const int = (value: number): bigint => BigInt(Math.trunc(value));

/** Attributes of one kind. It has no keys to go through, as Envoy's has none. */
class AttributeMap extends Map<string, CelInput> {
  readonly #table: Table;
  readonly #context: LogContext;

  constructor(table: Table, context: LogContext) {
    super();
    this.#table = table;
    this.#context = context;
  }

  override get(name: string): CelInput | undefined {
    return Object.hasOwn(this.#table, name) ? this.#table[name](this.#context) : undefined;
  }

  override entries(): never {
    throw new Error('attributes cannot be listed');
  }
}

/** The headers of a message; several of a name are joined with commas. */
class HeadersMap extends Map<string, CelInput> {
  readonly #headers: HeaderMap | undefined;
  readonly #pseudo: readonly string[];

  constructor(headers: HeaderMap | undefined, pseudo: readonly string[]) {
    super();
    this.#headers = headers;
    this.#pseudo = pseudo.filter((name) => headers?.get(name) !== undefined);
  }

  override get(name: string): CelInput | undefined {
    const value = this.#headers?.getAll(name.toLowerCase());
    return value === undefined ? undefined : unicode(value);
  }

  override get size(): number {
    // The constructor of Map asks before there is anything.
    return #headers in this ? this.#pseudo.length + (this.#headers?.list.length ?? 0) / 2 : 0;
  }

  override *entries(): MapIterator<[string, CelInput]> {
    const list = this.#headers?.list ?? [];
    const names = new Set(this.#pseudo);
    for (let i = 0; i < list.length; i += 2) names.add(list[i]);
    for (const name of names) yield [name, this.get(name) as CelInput];
  }
}

/** Objects of filter state: those with fields as maps, others as the bytes of their text. */
class FilterStateMap extends Map<string, CelInput> {
  readonly #state: FilterState;

  constructor(state: FilterState) {
    super();
    this.#state = state;
  }

  override get(name: string): CelInput | undefined {
    const object = this.#state.get(name);
    if (object === undefined) return undefined;
    if (object.fieldByName !== undefined) return new FieldMap(object);
    return Buffer.from(object.serializeAsString(), 'utf8');
  }

  override entries(): never {
    throw new Error('filter state cannot be listed');
  }
}

class FieldMap extends Map<string, CelInput> {
  readonly #object: FilterStateObject;

  constructor(object: FilterStateObject) {
    super();
    this.#object = object;
  }

  override get(name: string): CelInput | undefined {
    const value = this.#object.fieldByName?.(name);
    return typeof value === 'number' ? int(value) : value;
  }
}

const REQUEST: Table = {
  path: ({ requestHeaders }) => some(requestHeaders?.path),
  url_path: ({ requestHeaders }) => requestHeaders && unicode(requestHeaders.path.split('?', 1)[0]),
  query: ({ requestHeaders }) => requestHeaders && unicode(queryOf(requestHeaders.path)),
  host: ({ requestHeaders }) => some(requestHeaders?.host),
  scheme: ({ requestHeaders }) => some(requestHeaders?.scheme),
  method: ({ requestHeaders }) => some(requestHeaders?.method),
  headers: ({ requestHeaders }) =>
    new HeadersMap(requestHeaders, [':authority', ':path', ':method', ':scheme']),
  headers_bytes: ({ requestHeaders }) => int(requestHeaders?.byteSize() ?? 0),
  referer: ({ requestHeaders }) => header(requestHeaders, 'referer'),
  useragent: ({ requestHeaders }) => header(requestHeaders, 'user-agent'),
  id: ({ requestHeaders }) => header(requestHeaders, 'x-request-id'),
  time: ({ streamInfo }) => timestampFromMs(streamInfo.startTime),
  duration: ({ streamInfo }) => between(streamInfo.startTimeMonotonic, streamInfo.requestComplete),
  protocol: ({ streamInfo }) => some(streamInfo.protocol),
  size: ({ requestHeaders, streamInfo }) => {
    const length = requestHeaders?.get('content-length');
    if (length === undefined) return int(streamInfo.bytesReceived);
    return /^\d+$/.test(length) ? BigInt(length) : undefined;
  },
  total_size: ({ requestHeaders, streamInfo }) =>
    int(streamInfo.bytesReceived + (requestHeaders?.byteSize() ?? 0)),
};

const RESPONSE: Table = {
  code: ({ streamInfo }) => (streamInfo.responseCode === 0 ? undefined : int(streamInfo.responseCode)),
  code_details: ({ streamInfo }) => some(streamInfo.responseCodeDetails),
  flags: ({ streamInfo }) => int(streamInfo.responseFlags),
  grpc_status: ({ responseTrailers, responseHeaders, streamInfo }) => {
    const status = getGrpcStatus(responseTrailers, responseHeaders, streamInfo.responseCode);
    return status === undefined ? undefined : int(status);
  },
  headers: ({ responseHeaders }) => new HeadersMap(responseHeaders, [':status']),
  headers_bytes: ({ responseHeaders }) => int(responseHeaders?.byteSize() ?? 0),
  trailers: ({ responseTrailers }) => new HeadersMap(responseTrailers, []),
  size: ({ streamInfo }) => int(streamInfo.bytesSent),
  total_size: ({ streamInfo, responseHeaders, responseTrailers }) =>
    int(streamInfo.bytesSent + (responseHeaders?.byteSize() ?? 0) + (responseTrailers?.byteSize() ?? 0)),
  backend_latency: ({ streamInfo }) => between(streamInfo.firstUpstreamTxByte, streamInfo.lastUpstreamRxByte),
};

/** Facts of a TLS session; absent on plaintext. */
function tlsAttributes(side: (context: LogContext) => SslConnectionInfo | undefined): Table {
  const fact =
    (extract: (ssl: SslConnectionInfo) => string | undefined): Extractor =>
    (context) => {
      const ssl = side(context);
      return ssl && extract(ssl);
    };
  return {
    tls_version: fact((ssl) => ssl.tlsVersion),
    subject_local_certificate: fact((ssl) => ssl.subjectLocal),
    subject_peer_certificate: fact((ssl) => ssl.subjectPeer),
    uri_san_local_certificate: fact((ssl) => ssl.uriSanLocal[0]),
    uri_san_peer_certificate: fact((ssl) => ssl.uriSanPeer[0]),
    dns_san_local_certificate: fact((ssl) => ssl.dnsSanLocal[0]),
    dns_san_peer_certificate: fact((ssl) => ssl.dnsSanPeer[0]),
    sha256_peer_certificate_digest: fact((ssl) => some(ssl.sha256PeerCertificateDigest)),
    peer_certificate: fact((ssl) => some(encodeURIComponent(ssl.peerCertificatePem))),
  };
}

const CONNECTION: Table = {
  ...tlsAttributes(({ streamInfo }) => streamInfo.connection.ssl),
  id: ({ streamInfo }) => celUint(BigInt(streamInfo.connection.id)),
  mtls: ({ streamInfo }) => streamInfo.connection.ssl?.peerCertificatePresented ?? false,
  requested_server_name: ({ streamInfo }) => unicode(streamInfo.connection.requestedServerName),
  termination_details: ({ streamInfo }) => some(streamInfo.connectionTerminationDetails),
  transport_failure_reason: ({ streamInfo }) => some(streamInfo.connection.downstreamTransportFailureReason),
};

const UPSTREAM: Table = {
  ...tlsAttributes(({ streamInfo }) => streamInfo.upstreamConnection?.ssl),
  address: ({ streamInfo }) => streamInfo.upstreamHost?.address.text,
  port: ({ streamInfo }) => portOf(streamInfo.upstreamHost?.address),
  local_address: ({ streamInfo }) => streamInfo.upstreamConnection?.localAddress.text,
  locality: ({ streamInfo }) => streamInfo.upstreamHost && localityOf(streamInfo.upstreamHost.locality),
  transport_failure_reason: ({ streamInfo }) =>
    streamInfo.upstreamCluster && unicode(streamInfo.upstreamTransportFailureReason),
  request_attempt_count: ({ streamInfo }) => celUint(int(streamInfo.upstreamRequestAttemptCount)),
};

const SOURCE: Table = {
  address: ({ streamInfo }) => streamInfo.remoteAddress.text,
  port: ({ streamInfo }) => portOf(streamInfo.remoteAddress),
};
const DESTINATION: Table = {
  address: ({ streamInfo }) => streamInfo.connection.localAddress.text,
  port: ({ streamInfo }) => portOf(streamInfo.connection.localAddress),
};

const DIRECTIONS = { UNSPECIFIED: 0n, INBOUND: 1n, OUTBOUND: 2n } as const;

function xdsAttributes({ server, listener }: FactoryContext): Table {
  return {
    node: () => ({
      id: server.nodeId,
      cluster: server.nodeCluster,
      metadata: server.nodeMetadata as CelInput,
      locality: localityOf(server.locality),
    }),
    cluster_name: ({ streamInfo }) => streamInfo.upstreamCluster?.name,
    cluster_metadata: ({ streamInfo }) =>
      streamInfo.upstreamCluster && metadataOf(streamInfo.upstreamCluster.metadata),
    route_name: ({ streamInfo }) =>
      streamInfo.route === undefined ? undefined : unicode(streamInfo.routeName),
    route_metadata: ({ streamInfo }) => streamInfo.route && metadataOf(streamInfo.route.metadata),
    virtual_host_name: ({ streamInfo }) =>
      streamInfo.route === undefined ? undefined : streamInfo.virtualHostName,
    upstream_host_metadata: ({ streamInfo: { upstreamHost } }) => {
      if (upstreamHost === undefined) return undefined;
      return upstreamHost.metadata === undefined ? null : metadataOf(upstreamHost.metadata);
    },
    filter_chain_name: ({ streamInfo }) => streamInfo.connection.filterChainName,
    listener_metadata: () => listener && metadataOf(listener.metadata),
    listener_direction: () => DIRECTIONS[listener?.trafficDirection ?? 'UNSPECIFIED'],
  };
}

/** Names of attributes by the variable they belong to, to tell what is no attribute from what is one that is absent. */
export type Attributes = Readonly<Record<string, (context: LogContext) => CelInput | undefined>>;

/** The variables of expressions that are compiled in `context`. */
export function compileAttributes(context: FactoryContext): Attributes {
  const xds = xdsAttributes(context);
  const of =
    (table: Table): Extractor =>
    (stream) =>
      new AttributeMap(table, stream);
  return {
    request: of(REQUEST),
    response: of(RESPONSE),
    connection: of(CONNECTION),
    upstream: of(UPSTREAM),
    source: of(SOURCE),
    destination: of(DESTINATION),
    xds: of(xds),
    metadata: ({ streamInfo }) =>
      metadataOf(streamInfo.dynamicMetadata && Object.fromEntries(streamInfo.dynamicMetadata)),
    filter_state: ({ streamInfo }) => new FilterStateMap(streamInfo.filterState),
    upstream_filter_state: ({ streamInfo }) =>
      streamInfo.upstreamFilterState && new FilterStateMap(streamInfo.upstreamFilterState),
  };
}

/** Attributes of Envoy's that nothing here knows, by variable. */
export const UNKNOWN_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  upstream: ['cx_pool_ready_duration', 'num_endpoints'],
  xds: ['virtual_host_metadata', 'upstream_host_locality_metadata'],
};

function header(headers: HeaderMap | undefined, name: string): string | undefined {
  const value = headers?.get(name);
  return value === undefined ? undefined : unicode(value);
}

function queryOf(path: string): string {
  const start = path.indexOf('?');
  return start < 0 ? '' : path.slice(start + 1).split('#', 1)[0];
}

function portOf(address: Address | undefined): bigint | undefined {
  return address === undefined || address.ip === '' ? undefined : int(address.port);
}

/** From one moment to another, both `performance.now()`; undefined where one was not reached. */
function between(from: number, to: number): CelInput | undefined {
  return from === 0 || to === 0 ? undefined : durationFromMs(to - from);
}

function localityOf({ region, zone, subZone }: Locality): CelInput {
  return { region, zone, sub_zone: subZone };
}

function metadataOf(metadata: Metadata): CelInput {
  return { filter_metadata: (metadata ?? {}) as CelInput, typed_filter_metadata: {} };
}
