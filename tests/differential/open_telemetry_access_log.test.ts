// Access logs that go to a collector of OpenTelemetry, from Envoy and from Pilotfish: the same requests must bring the same records
// from the same resource, over gRPC and over HTTP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toJson } from '../../xds-protos/json.ts';
import { decode } from '../../xds-protos/load.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { talk } from './raw_client.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const REPORT = 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest';
const TYPE = 'type.googleapis.com/envoy.';
const TRACE = '0af7651916cd43dd8448eb211c80319c';

const text = (string_value: string): object => ({ string_value });
const list = (values: Readonly<Record<string, object>>): object => ({
  values: Object.entries(values).map(([key, value]) => ({ key, value })),
});
const grpc = { envoy_grpc: { cluster_name: 'grpc' }, initial_metadata: [{ key: 'X-Key', value: 'v' }] };
const FULL = {
  body: text('%REQ(:METHOD)% %RESPONSE_CODE% é\n'),
  attributes: list({
    protocol: text('%PROTOCOL%'),
    absent: text('%REQ(none)%'),
    header: text('%REQ(x-uni)%'),
    nested: { kvlist_value: list({ path: text('%REQ(:PATH)%') }) },
    several: { array_value: { values: [text('%RESPONSE_CODE%'), text('%RESPONSE_FLAGS%')] } },
  }),
  resource_attributes: list({ kept: text('as %IT% is') }),
};

/** What is logged how, by the listener's name. */
const LOGGERS: Readonly<Record<string, object>> = {
  common: {
    common_config: {
      log_name: 'name',
      grpc_service: grpc,
      transport_api_version: 'V3',
      buffer_flush_interval: '0.1s',
    },
    ...FULL,
  },
  own: {
    grpc_service: grpc,
    log_name: 'own',
    buffer_flush_interval: '0.1s',
    disable_builtin_labels: true,
    ...FULL,
  },
  http: {
    http_service: {
      http_uri: { uri: 'http://logs.test/my/logs', cluster: 'http', timeout: '1s' },
      request_headers_to_add: [{ header: { key: 'X-Key', value: 'v' } }],
    },
    buffer_flush_interval: '0.1s',
    ...FULL,
  },
  bare: { grpc_service: grpc, buffer_flush_interval: '0.1s' },
  full: {
    grpc_service: grpc,
    buffer_flush_interval: '100s',
    buffer_size_bytes: 1,
    body: text('%RESPONSE_CODE%'),
  },
};

function listener(name: string, logger: object): object {
  const config = {
    '@type': `${TYPE}extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
    ...logger,
  };
  const filter = {
    status_code_filter: { comparison: { op: 'GE', value: { default_value: 200, runtime_key: 'none' } } },
  };
  const provider = {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': `${TYPE}config.trace.v3.OpenTelemetryConfig`,
      grpc_service: { envoy_grpc: { cluster_name: 'nowhere' } },
    },
  };
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    tracing: { provider },
    access_log: [{ name: 'o', filter, typed_config: config }],
    route_config: {
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 201 } }] },
      ],
    },
    http_filters: [
      { name: 'r', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'h', typed_config: manager }] }],
  };
}

function bootstrap(ports: Readonly<Record<string, number>>): object {
  const h2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  const clusters = Object.entries(ports).map(([name, port_value]) => {
    const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
    return {
      name,
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
      ...(name !== 'http' && h2),
    };
  });
  return {
    node: { id: 'n', cluster: 'c', locality: { zone: 'z' } },
    static_resources: {
      clusters,
      listeners: Object.entries(LOGGERS).map(([name, logger]) => listener(name, logger)),
    },
  };
}

/** What each logger sends of two requests: heads of the calls, resources and records. */
async function observe(t: TestContext, command: readonly string[]): Promise<object> {
  const calls: { head: object; report: Record<string, unknown> }[] = [];
  const take = (head: object, message: Buffer): void => {
    const report = toJson(REPORT, decode(REPORT, message), { preserveProtoFieldNames: true });
    calls.push({ head, report: report as Record<string, unknown> });
  };
  const grpcServer = http2.createServer();
  grpcServer.on('stream', (stream: http2.ServerHttp2Stream, head: http2.IncomingHttpHeaders) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      const { ':path': target, ':authority': host, 'content-type': type, te, 'x-key': key } = head;
      take({ target, host, type, te, key }, Buffer.concat(parts).subarray(5));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  const httpServer = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { host, 'content-type': type, 'x-key': key } = request.headers;
      take({ target: request.url, host, type, key }, Buffer.concat(parts));
      response.end();
    });
  });
  for (const server of [grpcServer, httpServer]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
  }
  const port = (server: typeof grpcServer | typeof httpServer): number =>
    (server.address() as AddressInfo).port;
  const proxy = await EnvoyProcess.start(
    bootstrap({ grpc: port(grpcServer), http: port(httpServer), nowhere: 1 }),
    command,
  );
  t.after(() => proxy.stop());
  const seen: Record<string, unknown> = {};
  for (const name of Object.keys(LOGGERS)) {
    calls.length = 0;
    const head = `host: a\r\nx-uni: \xc3\xa9\r\ntraceparent: 00-${TRACE}-b7ad6b7169203331-01\r\n`;
    await talk(proxy.ports.get(name)!, [`GET /1 HTTP/1.1\r\n${head}\r\n`]);
    await sleep(1500);
    seen[name] = calls.map(({ head, report }) => [head, JSON.parse(JSON.stringify(report, comparable))]);
  }
  seen['stats'] = await (await fetch(`${proxy.admin}/stats?filter=open_telemetry_access_log`)).text();
  return seen;
}

/** Times and random ids are there, and are no more compared than that. */
function comparable(key: string, value: unknown): unknown {
  if (key === 'span_id') return 'an id';
  if (key === 'time_unix_nano')
    return Math.abs(Number(BigInt(value as string) / 1_000_000n) - Date.now()) < 10_000;
  if (key === 'attributes' && Array.isArray(value))
    return [...(value as { key: string }[])].sort((a, b) => (a.key < b.key ? -1 : 1));
  return value;
}

describe('access logs of OpenTelemetry', { skip: SKIP }, () => {
  test('are those of Envoy', { timeout: 60_000 }, async (t) => {
    const [theirs, ours] = [await observe(t, [ENVOY_BIN!]), await observe(t, PILOTFISH)];
    assert.ok(JSON.stringify(theirs).split('log_records').length > Object.keys(LOGGERS).length);
    assert.deepEqual(ours, theirs);
  });
});
