// Tracing with Zipkin, in Envoy and in Pilotfish: the same requests must bring the same spans to the collector and the same
// headers to the upstream. Ids are random and times differ, so they are compared by where they come again.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { HeadRecorder, type ReportedSpan, TracingCollector } from './tracing_collector.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** How long a report may take. */
const REPORT_MS = 3000;

const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const SPAN = 'a2fb4a1d1a96d312';
const PARENT = '0020000000000001';
const CONTEXT = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN };
const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

interface Case {
  readonly name: string;
  readonly listener: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How many the collector gets. */
  readonly spans: number;
}

const CASES: readonly Case[] = [
  { name: 'sampled at random', listener: 'in', path: '/a/b?c=d', spans: 1 },
  { name: 'not sampled at random', listener: 'unsampled', spans: 0 },
  { name: 'not sampled, by x-b3-sampled', listener: 'in', headers: { 'x-b3-sampled': '0' }, spans: 0 },
  { name: 'sampled, by x-b3-sampled', listener: 'unsampled', headers: { 'x-b3-sampled': '1' }, spans: 1 },
  {
    name: 'sampled, by x-client-trace-id',
    listener: 'unsampled',
    headers: { 'x-client-trace-id': 'c' },
    spans: 1,
  },
  {
    name: 'the span of a client, shared',
    listener: 'shared',
    headers: { ...CONTEXT, 'x-b3-parentspanid': PARENT, 'x-b3-sampled': '1' },
    spans: 1,
  },
  { name: 'a new trace that may be shared', listener: 'shared', spans: 1 },
  { name: 'the child of a client', listener: 'in', headers: CONTEXT, spans: 1 },
  { name: 'the child of a client, not sampled', listener: 'unsampled', headers: CONTEXT, spans: 0 },
  { name: 'short ids', listener: 'in', headers: { 'x-b3-traceid': 'ABC', 'x-b3-spanid': '1f' }, spans: 1 },
  {
    name: 'ids that cannot be read',
    listener: 'in',
    headers: { 'x-b3-traceid': 'zz', 'x-b3-spanid': '1' },
    spans: 0,
  },
  { name: 'a single header', listener: 'shared', headers: { b3: `${TRACE}-${SPAN}-1-${PARENT}` }, spans: 1 },
  {
    name: 'a single header without a decision',
    listener: 'out',
    headers: { b3: `${TRACE}-${SPAN}` },
    spans: 1,
  },
  { name: 'a single header that says no', listener: 'in', headers: { b3: '0' }, spans: 0 },
  { name: 'a single header that says debug', listener: 'unsampled', headers: { b3: 'd' }, spans: 1 },
  { name: 'a single header that cannot be read', listener: 'in', headers: { b3: 'zz' }, spans: 0 },
  {
    name: 'verbose, with custom tags and a short path, going out',
    listener: 'out',
    path: `/${'a'.repeat(40)}?x=y`,
    headers: { 'x-tag': 'told', 'x-envoy-downstream-service-cluster': 'client' },
    body: 'body',
    spans: 1,
  },
  { name: 'a route with tags and an operation, going out', listener: 'out', path: '/decorated', spans: 1 },
  {
    name: 'a route with sampling and an operation, coming in',
    listener: 'unsampled',
    path: '/decorated',
    spans: 1,
  },
  { name: 'a route that is not sampled', listener: 'in', path: '/unsampled', spans: 0 },
  {
    name: 'an operation of the client',
    listener: 'in',
    headers: { 'x-envoy-decorator-operation': 'mine' },
    spans: 1,
  },
  { name: 'an error of the upstream', listener: 'in', path: '/500', spans: 1 },
  { name: 'an upstream that is not there', listener: 'in', path: '/dead', spans: 1 },
  { name: 'a cluster that is not there', listener: 'in', path: '/nowhere', spans: 1 },
  { name: 'a direct response', listener: 'in', path: '/direct', spans: 1 },
  { name: 'no route', listener: 'in', headers: { host: 'other' }, spans: 1 },
  {
    name: 'gRPC',
    listener: 'in',
    path: '/grpc/0',
    headers: { ...GRPC, 'grpc-timeout': '1S' },
    body: 'x',
    spans: 1,
  },
  ...Array.from({ length: 16 }, (_, status) => ({
    name: `gRPC status ${status + 1}`,
    listener: 'in',
    path: `/grpc/${status + 1}`,
    headers: GRPC,
    body: 'x',
    spans: 1,
  })),
  { name: 'a span of the attempt', listener: 'attempts', path: '/decorated', spans: 2 },
  { name: 'a span of an attempt that fails', listener: 'attempts', path: '/dead', spans: 2 },
  { name: 'spans of attempts that are repeated', listener: 'attempts', path: '/retried/500', spans: 3 },
  { name: 'a collector by its service', listener: 'service', spans: 1 },
];

const TAGS = [
  { tag: 'literal', literal: { value: 'é' } },
  { tag: 'environment', environment: { name: 'PATH' } },
  { tag: 'no environment', environment: { name: 'NOT_THERE', default_value: 'default' } },
  { tag: 'header', request_header: { name: 'X-Tag', default_value: 'default' } },
  { tag: 'no header', request_header: { name: 'x-none' } },
  ...['cluster', 'route', 'request', 'host'].map((kind) => ({
    tag: kind,
    metadata: {
      kind: { [kind]: {} },
      metadata_key: { key: 'some', path: [{ key: 'value' }] },
      default_value: 'none',
    },
  })),
];

function zipkin(settings: object): object {
  return {
    name: 'envoy.tracers.zipkin',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
      collector_endpoint_version: 'HTTP_JSON',
      ...settings,
    },
  };
}

const COLLECTOR = { collector_cluster: 'collector', collector_endpoint: '/api/v2/spans' };

const ROUTES = [
  { match: { prefix: '/dead' }, route: { cluster: 'dead' } },
  { match: { prefix: '/nowhere' }, route: { cluster: 'nowhere' } },
  { match: { prefix: '/direct' }, direct_response: { status: 200 } },
  {
    match: { prefix: '/decorated' },
    route: { cluster: 'upstream' },
    decorator: { operation: 'decorated' },
    metadata: { filter_metadata: { some: { value: { of: ['route', 1] } } } },
    tracing: {
      random_sampling: { numerator: 100 },
      custom_tags: [{ tag: 'literal', literal: { value: 'route' } }],
    },
  },
  {
    match: { prefix: '/unsampled' },
    route: { cluster: 'upstream' },
    tracing: { random_sampling: { numerator: 0 } },
  },
  {
    match: { prefix: '/retried/' },
    route: { cluster: 'upstream', prefix_rewrite: '/', retry_policy: { retry_on: '5xx', num_retries: 1 } },
  },
  { match: { prefix: '/' }, route: { cluster: 'upstream' } },
];

function listener(name: string, tracing: object, direction = 'INBOUND'): object {
  const manager = {
    '@type':
      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: name,
    tracing,
    route_config: {
      validate_clusters: false,
      virtual_hosts: [{ name: 'all', domains: ['example.com'], routes: ROUTES }],
    },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    name,
    traffic_direction: direction,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }],
  };
}

function cluster(name: string, port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    type: 'STATIC',
    metadata: { filter_metadata: { some: { value: 1.5 } } },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function bootstrap(collector: number, upstream: number): object {
  const uri = { uri: 'http://zipkin.example/api/v9/spans', cluster: 'collector', timeout: '5s' };
  const service = { http_uri: uri, request_headers_to_add: [{ header: { key: 'X-Added', value: 'yes' } }] };
  return {
    node: { id: 'node-id', cluster: 'node-cluster', locality: { zone: 'zone' } },
    layered_runtime: { layers: [{ name: 'static', static_layer: { 'tracing.zipkin.min_flush_spans': 1 } }] },
    tracing: { http: zipkin({ ...COLLECTOR, trace_id_128bit: true, shared_span_context: false }) },
    static_resources: {
      listeners: [
        listener('in', {}),
        listener('unsampled', { random_sampling: { value: 0 } }),
        listener('out', { verbose: true, max_path_tag_length: 20, custom_tags: TAGS }, 'OUTBOUND'),
        listener('shared', { provider: zipkin(COLLECTOR) }),
        listener('attempts', { spawn_upstream_span: true, verbose: true, custom_tags: TAGS }),
        listener('service', { provider: zipkin({ collector_service: service }) }, 'OUTBOUND'),
      ],
      clusters: [cluster('collector', collector), cluster('upstream', upstream), cluster('dead', 1)],
    },
  };
}

class Subject {
  private readonly collector = new TracingCollector();
  private readonly upstream = new HeadRecorder();
  private process: EnvoyProcess | undefined = undefined;
  private upstreamPort = 0;

  static async start(command?: readonly string[]): Promise<Subject> {
    const subject = new Subject();
    const collectorPort = await subject.collector.listen();
    subject.upstreamPort = await subject.upstream.listen();
    subject.process = await EnvoyProcess.start(bootstrap(collectorPort, subject.upstreamPort), command);
    return subject;
  }

  /** What the client, the upstream and the collector have got, as one text. */
  async outcome({ listener, path = '/', headers = {}, body, spans }: Case): Promise<string> {
    const { reports } = this.collector;
    reports.length = 0;
    this.upstream.heads.length = 0;
    const response = await request(this.process!.ports.get(listener)!, path, headers, body);
    const deadline = Date.now() + REPORT_MS;
    while (reports.length < spans && Date.now() < deadline) await sleep(10);
    if (spans === 0) await sleep(100);
    const reported = reports.map((report) => ({ ...report, spans: report.spans.map(withoutTimes) }));
    const text = JSON.stringify(
      sorted({
        response,
        heads: this.upstream.heads,
        reported: reported.sort((a, b) => order(a.spans[0]!) - order(b.spans[0]!)),
      }),
      undefined,
      1,
    );
    return named(text.replaceAll(String(this.upstreamPort), '<upstream>'));
  }

  async stats(): Promise<string> {
    const text = await (await fetch(`${this.process!.admin}/stats?filter=tracing`)).text();
    return text.replace(/timer_flushed: \d+/, 'timer_flushed');
  }

  async stop(): Promise<void> {
    await this.process?.stop();
    this.collector.close();
    this.upstream.close();
  }
}

/** Spans of attempts come first: which report is first is a matter of connections. */
function order({ kind, tags }: { kind: string; tags: Readonly<Record<string, string>> }): number {
  return kind === 'CLIENT' ? Number(tags['retry.count'] ?? 0) : 100;
}

function withoutTimes({ timestamp, duration, annotations, ...span }: ReportedSpan) {
  assert.ok(Math.abs(Date.now() * 1000 - timestamp) < 60_000_000 && duration > 0 && duration < 10_000_000);
  return { ...span, annotations: annotations.map(({ value }) => value) };
}

/** Keys of objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key]) => key !== 'date' && key !== 'x-envoy-upstream-service-time',
  );
  return Object.fromEntries(entries.sort().map(([key, each]) => [key, sorted(each)]));
}

/** Ids by the order in which they come; of request ids the digit that says why they are traced. */
function named(text: string): string {
  const names = new Map<string, string>();
  const name = (id: string): string => {
    if (!names.has(id)) names.set(id, `<id ${names.size}>`);
    return names.get(id)!;
  };
  return (
    text
      // What is left of the time: all of it, or at a second attempt nearly.
      .replace(/"1(?:5000|4[5-9]\d\d)"/g, '"15 s"')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<request $1>')
      .replace(/(?<![0-9a-f])([0-9a-f]{16})([0-9a-f]{16})?(?![0-9a-f])/g, (_, one: string, two?: string) =>
        two === undefined ? name(one) : `${name(one)}${name(two)}`,
      )
  );
}

function request(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<object> {
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method: body === undefined ? 'GET' : 'POST',
    headers: { host: 'example.com', 'user-agent': 'test', ...headers },
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const sent = http.request(options, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('tracing as in Envoy', { skip: SKIP }, () => {
  let envoy: Subject;
  let pilotfish: Subject;
  before(async () => {
    envoy = await Subject.start();
    pilotfish = await Subject.start(PILOTFISH);
  });
  after(async () => {
    await Promise.all([envoy?.stop(), pilotfish?.stop()]);
  });
  for (const each of CASES) {
    test(each.name, async () => {
      const [theirs, ours] = await Promise.all([envoy.outcome(each), pilotfish.outcome(each)]);
      assert.equal(ours, theirs);
      assert.equal(ours.split('"kind": "').length - 1, each.spans);
    });
  }
  test('the stats of tracing', async () => {
    assert.equal(await pilotfish.stats(), await envoy.stats());
  });
});
