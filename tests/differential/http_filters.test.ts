// cors, fault and grpc_stats beside a real Envoy: the same configuration and requests give the same answers, response flags
// and stats. Our filter runs alone; what passes it gets the backend's answer, as in Envoy.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { HttpFilter } from '../../server/api/http/filter.ts';
import type { HttpFilterFactory } from '../../server/api/registry.ts';
import { responseFlagsToShortString } from '../../server/common/stream_info/response_flags.ts';
import { corsFactory } from '../../server/extensions/filters/http/cors/config.ts';
import { faultFactory } from '../../server/extensions/filters/http/fault/config.ts';
import { grpcStatsFactory } from '../../server/extensions/filters/http/grpc_stats/config.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { FakeStatStore, fakeFactoryContext } from '../fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeCluster } from '../fakes/http_filter.ts';
import { requestHeaders, responseHeaders } from '../fakes/log_context.ts';
import { ENVOY_BIN, EnvoyProcess } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const ALWAYS = { numerator: 100 };

interface Case {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Subject {
  readonly factory: HttpFilterFactory;
  readonly type: string;
  readonly config: object;
  readonly routeType?: string;
  readonly routeConfig?: object;
  readonly requests: readonly Case[];
  /** Stats that must be equal afterwards. */
  readonly stats: readonly string[];
}

const PREFLIGHT = { 'access-control-request-method': 'PUT' };
const POLICY = {
  allow_origin_string_match: [{ exact: 'http://a' }, { safe_regex: { regex: 'https://.*\\.b\\.example' } }],
  allow_methods: 'GET,POST',
  allow_headers: '*',
  expose_headers: 'x-e',
  max_age: '10',
  allow_credentials: true,
  allow_private_network_access: true,
};
const CORS_REQUESTS: readonly Case[] = [
  {},
  { headers: { origin: 'http://a' } },
  { headers: { origin: 'https://x.b.example' } },
  { headers: { origin: 'http://evil' } },
  { method: 'OPTIONS', headers: { origin: 'http://a' } },
  {
    method: 'OPTIONS',
    headers: { origin: 'http://a', ...PREFLIGHT, 'access-control-request-headers': 'x-q' },
  },
  {
    method: 'OPTIONS',
    headers: { origin: 'http://a', ...PREFLIGHT, 'access-control-request-private-network': 'true' },
  },
  { method: 'OPTIONS', headers: { origin: 'http://evil', ...PREFLIGHT } },
  { method: 'PUT', headers: { origin: 'http://a', ...PREFLIGHT } },
];
const CORS_STATS = ['http.x.cors.origin_valid', 'http.x.cors.origin_invalid'];

/** A gRPC message of `size` bytes. */
function frame(size: number): Buffer {
  const bytes = Buffer.alloc(5 + size);
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  cors: {
    factory: corsFactory as HttpFilterFactory,
    type: 'envoy.extensions.filters.http.cors.v3.Cors',
    config: {},
    routeType: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
    routeConfig: POLICY,
    requests: CORS_REQUESTS,
    stats: CORS_STATS,
  },
  'cors that answers every preflight': {
    factory: corsFactory as HttpFilterFactory,
    type: 'envoy.extensions.filters.http.cors.v3.Cors',
    config: {},
    routeType: 'envoy.extensions.filters.http.cors.v3.CorsPolicy',
    routeConfig: { ...POLICY, allow_methods: '*', forward_not_matching_preflights: false },
    requests: CORS_REQUESTS,
    stats: CORS_STATS,
  },
  fault: {
    factory: faultFactory as HttpFilterFactory,
    type: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
    config: {
      abort: { header_abort: {}, percentage: ALWAYS },
      delay: { header_delay: {}, percentage: ALWAYS },
      headers: [{ name: 'x-skip', present_match: false }],
    },
    requests: [
      {},
      { headers: { 'x-envoy-fault-abort-request': '503' } },
      { headers: { 'x-envoy-fault-abort-request': '503', 'x-skip': '1' } },
      { headers: { 'x-envoy-fault-abort-request': '199' } },
      { headers: { 'x-envoy-fault-abort-request': 'abc', 'x-envoy-fault-abort-grpc-request': '5' } },
      { headers: { 'x-envoy-fault-abort-grpc-request': '7', 'content-type': 'application/grpc' } },
      { headers: { 'x-envoy-fault-abort-request': '503', 'x-envoy-fault-abort-request-percentage': '0' } },
      { headers: { 'x-envoy-fault-delay-request': '20' } },
      { headers: { 'x-envoy-fault-delay-request': '0' } },
      {
        headers: {
          'x-envoy-fault-delay-request': '10',
          'x-envoy-fault-abort-request': '404',
          'x-envoy-downstream-service-cluster': 'dc',
        },
      },
    ],
    stats: [
      'http.x.fault.aborts_injected',
      'http.x.fault.delays_injected',
      'http.x.fault.faults_overflow',
      'http.x.fault.active_faults',
      'http.x.fault.dc.aborts_injected',
      'http.x.fault.dc.delays_injected',
    ],
  },
  grpc_stats: {
    factory: grpcStatsFactory as HttpFilterFactory,
    type: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
    config: { emit_filter_state: true, stats_for_all_methods: true },
    requests: [
      {
        method: 'POST',
        headers: { 'content-type': 'application/grpc', 'x-answer': '0' },
        body: Buffer.concat([frame(3), frame(0), frame(700)]),
      },
      {
        method: 'POST',
        headers: { 'content-type': 'application/grpc+proto', 'x-answer': '13' },
        body: frame(1),
      },
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: frame(1) },
    ],
    stats: ['0', '13', 'success', 'failure', 'total', 'request_message_count', 'response_message_count'].map(
      (name) => `cluster.c.grpc.pkg.Svc.Do.${name}`,
    ),
  },
};

/** What is compared of an answer. */
interface Answer {
  readonly status: number;
  readonly flags: string;
  readonly grpcStatus: string | undefined;
  readonly cors: Readonly<Record<string, string>>;
}

const PATH = '/pkg.Svc/Do';

for (const [name, subject] of Object.entries(SUBJECTS)) {
  describe(name, { skip: SKIP }, () => {
    let backend: Server;
    let envoy: EnvoyProcess | undefined;
    const stats = new FakeStatStore();

    before(async () => {
      backend = createServer((message, response) => {
        for (const [key, value] of backendHeaders(message.headers['x-answer']))
          response.setHeader(key, value);
        message.resume();
        response.end();
      });
      await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
      envoy = await EnvoyProcess.start(bootstrap(subject, (backend.address() as AddressInfo).port));
    });

    after(async () => {
      await envoy?.stop();
      backend?.close();
      backend?.closeAllConnections();
    });

    test('answers and stats are Envoy’s', async () => {
      const context = fakeFactoryContext({ stats, httpStatPrefix: 'http.x.' });
      const config = subject.factory.compile(
        fromJson(subject.type, subject.config) as never,
        context,
        '',
        name,
      );
      const route =
        subject.routeType &&
        subject.factory.compileRoute!(fromJson(subject.routeType, subject.routeConfig) as never, context, '');
      for (const one of subject.requests) {
        const expected = await ask(envoy!.ports.get('lis')!, one);
        assert.deepEqual(await run(config.createFilter(), route, one), expected, JSON.stringify(one));
      }
      const text = await (await fetch(`${envoy!.admin}/stats`)).text();
      const theirs = new Map(text.split('\n').map((line) => line.split(': ') as [string, string]));
      for (const stat of subject.stats) assert.equal(stats.value(stat), Number(theirs.get(stat) ?? 0), stat);
    });
  });
}

/** Headers of the backend's answer: a trailers-only gRPC response where `x-answer` asks for one. */
function backendHeaders(answer: string | string[] | undefined): [string, string][] {
  return answer === undefined
    ? []
    : [
        ['content-type', 'application/grpc'],
        ['grpc-status', String(answer)],
      ];
}

async function run(
  filter: HttpFilter,
  route: unknown,
  { method = 'GET', headers = {}, body }: Case,
): Promise<Answer> {
  const callbacks = new FakeFilterCallbacks(filter);
  callbacks.routeConfig = route;
  callbacks.cluster = fakeCluster({ statName: 'c' });
  callbacks.requestHeaders = requestHeaders({
    ':method': method,
    ':path': PATH,
    ':authority': 'h',
    ...headers,
  });
  const stopped = filter.decodeHeaders!(callbacks.requestHeaders, body === undefined) !== 0;
  while (stopped && callbacks.continuedDecoding === 0 && !callbacks.localReply && !callbacks.encoded) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (body !== undefined) filter.decodeData?.(body, 0, body.length, true);
  const { localReply } = callbacks;
  const isGrpc = headers['content-type']?.startsWith('application/grpc') ?? false;
  const grpcStatus = isGrpc ? localReply?.options?.grpcStatus : undefined;
  const local =
    localReply &&
    responseHeaders(localReply.code, grpcStatus === undefined ? {} : { 'grpc-status': `${grpcStatus}` });
  const answer =
    local ??
    callbacks.encoded ??
    responseHeaders(200, Object.fromEntries(backendHeaders(headers['x-answer'])));
  filter.encodeHeaders?.(answer, true);
  filter.onDestroy?.();
  const cors: Record<string, string> = {};
  for (let i = 0; i < answer.list.length; i += 2) {
    if (answer.list[i].startsWith('access-control-')) cors[answer.list[i]] = answer.list[i + 1];
  }
  const flags = responseFlagsToShortString(callbacks.streamInfo.responseFlags);
  return { status: answer.status, flags, grpcStatus: answer.get('grpc-status'), cors };
}

async function ask(port: number, { method = 'GET', headers, body }: Case): Promise<Answer> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', method, path: PATH, headers, agent: false });
    outgoing.once('response', resolve).once('error', reject).end(body);
  });
  message.resume();
  const entries = Object.entries(message.headers).map(([key, value]) => [key, String(value)] as const);
  return {
    status: message.statusCode ?? 0,
    // A preflight's answer does not come from a route, so it lacks the route's headers.
    flags: String(message.headers['x-flags'] ?? '-'),
    grpcStatus: message.headers['grpc-status'] as string | undefined,
    cors: Object.fromEntries(entries.filter(([key]) => key.startsWith('access-control-'))),
  };
}

function bootstrap({ type, config, routeType, routeConfig }: Subject, backendPort: number): object {
  const URL = 'type.googleapis.com/';
  const X = `${URL}envoy.extensions.`;
  const address = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });
  const manager = {
    '@type': `${X}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'x',
    route_config: {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          response_headers_to_add: [{ header: { key: 'x-flags', value: '%RESPONSE_FLAGS%' } }],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }],
          ...(routeType && {
            typed_per_filter_config: { subject: { '@type': URL + routeType, ...routeConfig } },
          }),
        },
      ],
    },
    http_filters: [
      { name: 'subject', typed_config: { '@type': URL + type, ...config } },
      { name: 'router', typed_config: { '@type': `${X}filters.http.router.v3.Router` } },
    ],
  };
  const endpoint = { address: address(backendPort) };
  return {
    static_resources: {
      clusters: [
        { name: 'c', load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint }] }] } },
      ],
      listeners: [
        {
          name: 'lis',
          address: address(0),
          filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }],
        },
      ],
    },
  };
}
