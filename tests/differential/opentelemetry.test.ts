// Tracing with OpenTelemetry, in Envoy and in Pilotfish: the same requests must bring the same spans to the collector, over HTTP
// and over gRPC, and the same headers to the upstream. Ids are random and times differ: they are compared by where they come again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toJson } from '../../xds-protos/json.ts';
import { decode } from '../../xds-protos/load.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const REPORT = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest';
const TYPE = 'type.googleapis.com/envoy.';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

interface SpanJson {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly string_value: string } }[];
  readonly events?: readonly { readonly name: string }[];
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
}

interface ReportJson {
  readonly resource_spans: readonly {
    readonly resource: { readonly attributes: SpanJson['attributes'] };
    readonly scope_spans: readonly { readonly spans: readonly SpanJson[] }[];
  }[];
}

/** What came to a collector: the head as far as it is looked at, the spans, who reported them. */
class Collector {
  readonly heads: Record<string, unknown>[] = [];
  readonly spans: SpanJson[] = [];
  readonly resources: SpanJson['attributes'][] = [];

  take(head: Record<string, unknown>, message: Buffer): void {
    this.heads.push(head);
    const report = toJson(REPORT, decode(REPORT, message), {
      preserveProtoFieldNames: true,
    }) as unknown as ReportJson;
    for (const { resource, scope_spans } of report.resource_spans) {
      this.resources.push(resource.attributes);
      for (const { spans } of scope_spans) this.spans.push(...spans);
    }
  }
}

interface Case {
  readonly name: string;
  readonly listener: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly spans: number;
}

/** In percent. */
function ratioOf(digits: string): number {
  return Number(Buffer.from(digits, 'hex').readBigUInt64LE() % 100n);
}

const CASES: readonly Case[] = [
  { name: 'a new trace, going out', listener: 'out', path: '/a?b=c', spans: 1 },
  { name: 'a new trace, coming in', listener: 'in', spans: 1 },
  { name: 'over gRPC', listener: 'grpc', spans: 1 },
  { name: 'not sampled', listener: 'unsampled', spans: 0 },
  {
    name: 'the child of a client',
    listener: 'out',
    headers: { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' },
    spans: 1,
  },
  {
    name: 'the child of a client, as it says',
    listener: 'unsampled',
    headers: { traceparent: `00-${TRACE}-${SPAN}-01` },
    spans: 1,
  },
  {
    name: 'a client that is not sampled',
    listener: 'in',
    headers: { traceparent: `00-${TRACE}-${SPAN}-00` },
    spans: 0,
  },
  {
    name: 'a client that is not sampled, where all are',
    listener: 'always',
    headers: { traceparent: `00-${TRACE}-${SPAN}-00` },
    spans: 1,
  },
  { name: 'not sampled at random, where all are', listener: 'always', spans: 1 },
  { name: 'a new trace, where the client decides and else nobody is sampled', listener: 'parent', spans: 0 },
  {
    name: 'the child of a client, where that decides',
    listener: 'parent',
    headers: { traceparent: `00-${TRACE}-${SPAN}-01` },
    spans: 1,
  },
  // The remainder of the first eight bytes, the last of them first, decides.
  ...['0000000000000000', '3100000000000000', '3200000000000000', '0001000000000000', TRACE.slice(0, 16)].map(
    (start) => ({
      name: `the id ${start}, where half of the ids are sampled`,
      listener: 'ratio',
      headers: { traceparent: `00-${start}${TRACE.slice(16)}-${SPAN}-00` },
      spans: ratioOf(start) < 50 ? 1 : 0,
    }),
  ),
  {
    name: 'a trace that cannot be read',
    listener: 'in',
    headers: { traceparent: 'xx', tracestate: 'q=1' },
    spans: 0,
  },
  { name: 'zeros', listener: 'in', headers: { traceparent: `00-${'0'.repeat(32)}-${SPAN}-01` }, spans: 0 },
  { name: 'a state without a trace', listener: 'in', headers: { tracestate: 'q=1' }, spans: 1 },
  { name: 'a request that fails, going out', listener: 'out', path: '/dead', spans: 1 },
  { name: 'one that is not found, going out', listener: 'out', path: '/404', spans: 1 },
  { name: 'one that is not found, coming in', listener: 'in', path: '/404', spans: 1 },
  { name: 'one that fails, coming in', listener: 'in', path: '/dead', spans: 1 },
  { name: 'an operation of the route', listener: 'in', path: '/decorated', spans: 1 },
  { name: 'spans of attempts', listener: 'attempts', spans: 2 },
  { name: 'spans of attempts that fail', listener: 'attempts', path: '/dead', spans: 2 },
  {
    name: 'spans of attempts, in the trace of a client',
    listener: 'attempts',
    headers: { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' },
    spans: 2,
  },
];

const detector = (name: string, type: string, more: object = {}): object => ({
  name: `envoy.tracers.opentelemetry.resource_detectors.${name}`,
  typed_config: {
    '@type': `${TYPE}extensions.tracers.opentelemetry.resource_detectors.v3.${type}ResourceDetectorConfig`,
    ...more,
  },
});
const HTTP = {
  http_service: {
    http_uri: { uri: 'http://collector.test/my/traces', cluster: 'collector', timeout: '2s' },
    request_headers_to_add: [{ header: { key: 'X-Key', value: 'v' } }],
  },
};
const ALWAYS_ON = {
  sampler: {
    name: 'envoy.tracers.opentelemetry.samplers.always_on',
    typed_config: { '@type': `${TYPE}extensions.tracers.opentelemetry.samplers.v3.AlwaysOnSamplerConfig` },
  },
};
const sampler = (name: string, type: string, config: object): object => ({
  sampler: {
    name: `envoy.tracers.opentelemetry.samplers.${name}`,
    typed_config: {
      '@type': `${TYPE}extensions.tracers.opentelemetry.samplers.v3.${type}SamplerConfig`,
      ...config,
    },
  },
});
const ratio = (numerator: number): { sampler: object } =>
  sampler('trace_id_ratio_based', 'TraceIdRatioBased', { sampling_percentage: { numerator } }) as {
    sampler: object;
  };
const DETECTORS = {
  service_name: 'shop',
  resource_detectors: [
    detector('environment', 'Environment'),
    detector('static_config', 'StaticConfig', { attributes: { a: 'b', k2: 'over' } }),
  ],
};

function listener(name: string, exporter: object, tracing: object, direction: string): object {
  const provider = {
    name: 'envoy.tracers.opentelemetry',
    typed_config: { '@type': `${TYPE}config.trace.v3.OpenTelemetryConfig`, ...exporter },
  };
  const to = (prefix: string, cluster: string, more: object = {}): object => ({
    match: { prefix },
    route: { cluster },
    ...more,
  });
  const http_connection_manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    tracing: { provider, verbose: true, ...tracing },
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            to('/dead', 'dead'),
            to('/decorated', 'up', { decorator: { operation: 'mine' } }),
            to('/', 'up'),
          ],
        },
      ],
    },
    http_filters: [
      { name: 'r', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  return {
    name,
    traffic_direction: direction,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'h', typed_config: http_connection_manager }] }],
  };
}

function cluster(name: string, port_value: number, more: object = {}): object {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
  return {
    name,
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    ...more,
  };
}

const port = (server: Server | http2.Http2Server): number => (server.address() as AddressInfo).port;

/** A proxy with a collector of each kind and an upstream. */
class Traced {
  readonly collector = new Collector();
  readonly heads: http.IncomingHttpHeaders[] = [];
  private readonly upstream = http.createServer((request, response) => {
    this.heads.push(request.headers);
    response.writeHead(request.url === '/404' ? 404 : 200).end('hello');
  });
  private readonly http = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { 'content-type': type, 'x-key': key, host } = request.headers;
      this.collector.take(
        { method: request.method, path: request.url, host, type, key },
        Buffer.concat(parts),
      );
      response.end();
    });
  });
  private readonly grpc = http2
    .createServer()
    .on('stream', (stream: http2.ServerHttp2Stream, head: http2.IncomingHttpHeaders) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const {
          ':path': path,
          ':method': method,
          ':authority': host,
          'content-type': type,
          te,
          'x-key': key,
        } = head;
        const frame = Buffer.concat(parts);
        assert.equal(frame.readUInt32BE(1), frame.length - 5);
        this.collector.take({ method, path, host, type, te, key }, frame.subarray(5));
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5));
      });
    });
  private process: EnvoyProcess | undefined;

  async start(command: readonly string[]): Promise<void> {
    for (const server of [this.upstream, this.http, this.grpc]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    const h2 = {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    };
    const unsampled = { random_sampling: { value: 0 } };
    const metadata = [{ key: 'X-Key', value: 'v' }];
    const grpc = {
      grpc_service: { envoy_grpc: { cluster_name: 'grpc' }, initial_metadata: metadata, timeout: '2s' },
    };
    this.process = await EnvoyProcess.start(
      {
        node: { id: 'n', cluster: 'c' },
        layered_runtime: {
          layers: [{ name: 's', static_layer: { 'tracing.opentelemetry.min_flush_spans': 1 } }],
        },
        static_resources: {
          clusters: [
            cluster('collector', port(this.http)),
            cluster('grpc', port(this.grpc), h2),
            cluster('up', port(this.upstream)),
            cluster('dead', 1),
          ],
          listeners: [
            listener('out', { ...HTTP, ...DETECTORS }, {}, 'OUTBOUND'),
            listener('in', HTTP, {}, 'INBOUND'),
            listener('grpc', grpc, {}, 'INBOUND'),
            listener('unsampled', HTTP, unsampled, 'INBOUND'),
            listener('always', { ...HTTP, ...ALWAYS_ON }, unsampled, 'INBOUND'),
            listener('ratio', { ...HTTP, ...ratio(50) }, {}, 'INBOUND'),
            listener(
              'parent',
              { ...HTTP, ...sampler('parent_based', 'ParentBased', { wrapped_sampler: ratio(0).sampler }) },
              {},
              'INBOUND',
            ),
            listener('attempts', HTTP, { spawn_upstream_span: true }, 'OUTBOUND'),
          ],
        },
      },
      command,
    );
  }

  /** What a request leaves behind. */
  async observe({ listener: name, path = '/', headers = {}, spans }: Case): Promise<object> {
    const { collector } = this;
    for (const list of [collector.heads, collector.spans, collector.resources, this.heads]) list.length = 0;
    const request = http.get({
      host: '127.0.0.1',
      port: this.process!.ports.get(name),
      path,
      headers: { host: 'ex.com', ...headers },
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    for (let i = 0; i < 150 && collector.spans.length < spans; i++) await sleep(20);
    if (spans === 0) await sleep(150);
    const ids = new Map([
      [TRACE, 'the trace'],
      [SPAN, 'the client'],
    ]);
    const named = collector.spans
      .map((span) => [span, ids] as const)
      .sort(([a], [b]) => (a.name < b.name ? -1 : 1));
    named.forEach(([span], index) => {
      ids.set(hex(span.span_id), `span ${index}`);
      if (!ids.has(hex(span.trace_id))) ids.set(hex(span.trace_id), 'a new trace');
    });
    return {
      heads: collector.heads,
      resources: collector.resources.map((attributes) => known(attributes)),
      spans: named.map(([span]) => comparable(span, ids)),
      upstream: this.heads.map(({ traceparent, tracestate }) => [
        String(traceparent).replace(/[\da-f]{16,}/g, (id) => ids.get(id) ?? 'an id'),
        tracestate,
      ]),
    };
  }

  async stop(): Promise<void> {
    await this.process?.stop();
    for (const server of [this.upstream, this.http]) {
      server.closeAllConnections();
      server.close();
    }
    this.grpc.close();
  }
}

const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');

/** Attributes by their names, without those that say which program it is. */
function known(attributes: SpanJson['attributes']): object {
  const pairs = attributes.map(({ key, value }) => {
    return [key, value.string_value.replace(/^127\.0\.0\.1:\d{4,}$/, 'the upstream')] as const;
  });
  return Object.fromEntries(pairs.filter(([key]) => !key.startsWith('telemetry.')).sort());
}

function comparable(span: SpanJson, ids: ReadonlyMap<string, string>): object {
  const {
    trace_id,
    span_id,
    parent_span_id = '',
    attributes,
    events = [],
    start_time_unix_nano,
    end_time_unix_nano,
    ...rest
  } = span;
  assert.ok(BigInt(start_time_unix_nano) <= BigInt(end_time_unix_nano));
  assert.ok(Math.abs(Number(BigInt(end_time_unix_nano) / 1_000_000n) - Date.now()) < 10_000);
  const { 'guid:x-request-id': id, ...tags } = known(attributes) as Record<string, string>;
  assert.ok(id === undefined || id.length === 36);
  return {
    ...rest,
    trace: ids.get(hex(trace_id)),
    span: ids.get(hex(span_id)),
    parent: ids.get(hex(parent_span_id)) ?? '',
    tags,
    events: events.map((event) => event.name).sort(),
  };
}

describe('tracing with OpenTelemetry', { skip: SKIP }, () => {
  const envoy = new Traced();
  const pilotfish = new Traced();
  before(async () => {
    process.env['OTEL_RESOURCE_ATTRIBUTES'] = 'k1=v1,k2=v2,wrong';
    await Promise.all([envoy.start([ENVOY_BIN!]), pilotfish.start(PILOTFISH)]);
  });
  after(async () => {
    delete process.env['OTEL_RESOURCE_ATTRIBUTES'];
    await Promise.all([envoy.stop(), pilotfish.stop()]);
  });
  for (const each of CASES) {
    test(each.name, async () => {
      const [theirs, ours] = [await envoy.observe(each), await pilotfish.observe(each)];
      assert.deepEqual(ours, theirs);
    });
  }
});
