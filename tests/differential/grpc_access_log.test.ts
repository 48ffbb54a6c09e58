// Access logs that are streamed to an access log service, from Envoy and from Pilotfish: the same requests and connections must
// bring the same messages, field by field.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { type Json, toJson } from '../../xds-protos/json.ts';
import { decode, encode } from '../../xds-protos/load.ts';
import { certificate, pem } from '../fakes/tls.ts';
import { eventually } from '../integration/proxy_process.ts';
import { portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { talk } from './raw_client.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const MESSAGE = 'envoy.service.accesslog.v3.StreamAccessLogsMessage';
const TYPE = 'type.googleapis.com/envoy.';

const service = (more: object = {}): object => ({
  common_config: {
    log_name: 'name',
    grpc_service: { envoy_grpc: { cluster_name: 'als' }, initial_metadata: [{ key: 'X-Key', value: 'v' }] },
    transport_api_version: 'V3',
    buffer_flush_interval: '0.1s',
    ...more,
  },
});
const logger = (kind: 'Http' | 'Tcp', config: object): object => ({
  name: 'als',
  typed_config: { '@type': `${TYPE}extensions.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig`, ...config },
});

const manager = (name: string, config: object, more: object = {}): object => ({
  '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: name,
  generate_request_id: false,
  access_log: [logger('Http', config)],
  route_config: {
    validate_clusters: false,
    // It has as many digits as it takes.
    response_headers_to_remove: ['x-envoy-upstream-service-time'],
    virtual_hosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [
          { name: 'direct', match: { path: '/direct' }, direct_response: { status: 201 } },
          { match: { path: '/nowhere' }, route: { cluster: 'nobody' } },
          {
            match: { prefix: '/rewritten' },
            route: { cluster: 'upstream', prefix_rewrite: '/other' },
          },
          { match: { prefix: '/closed' }, route: { cluster: 'closed', retry_policy: { retry_on: '5xx' } } },
          { match: { prefix: '/late' }, route: { cluster: 'upstream', timeout: '0.2s' } },
          {
            match: { prefix: '/' },
            metadata: { filter_metadata: { m: { k: 'of the route' } } },
            route: { cluster: 'upstream' },
          },
        ],
      },
    ],
  },
  http_filters: [{ name: 'r', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } }],
  ...more,
});

const FULL = {
  ...service({
    filter_state_objects_to_log: ['my.text', 'none'],
    custom_tags: [
      { tag: 'literal', literal: { value: 'as it is' } },
      { tag: 'header', request_header: { name: 'x-tag', default_value: 'not there' } },
      { tag: 'route', metadata: { kind: { route: {} }, metadata_key: { key: 'm', path: [{ key: 'k' }] } } },
      { tag: 'absent', request_header: { name: 'x-none' } },
    ],
  }),
  additional_request_headers_to_log: ['X-Tag', 'x-none', 'x-odd', ':method'],
  additional_response_headers_to_log: ['x-answer', 'server'],
  additional_response_trailers_to_log: ['x-trailer'],
};

const setFilterState = {
  name: 'state',
  typed_config: {
    '@type': `${TYPE}extensions.filters.network.set_filter_state.v3.Config`,
    on_new_connection: [
      {
        object_key: 'my.text',
        factory_key: 'envoy.string',
        format_string: { text_format_source: { inline_string: 'text of mine' } },
      },
    ],
  },
};
const secure = {
  transport_socket: {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [certificate('server')],
        validation_context: { trusted_ca: { inline_string: pem('ca.pem') } },
        tls_params: {
          tls_maximum_protocol_version: 'TLSv1_2',
          cipher_suites: ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
        },
      },
    },
  },
};

function listeners(): object[] {
  const http = (name: string, config: object, more: object = {}): object => ({
    name: 'hcm',
    typed_config: manager(name, config, more),
  });
  const tcp = {
    name: 'tcp',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'tcp',
      cluster: 'upstream',
      access_log: [logger('Tcp', service({ log_name: 'tcp' }))],
    },
  };
  const chains: Readonly<Record<string, object>> = {
    full: { filters: [setFilterState, http('full', FULL)] },
    started: {
      filters: [
        http('started', service({ log_name: 'moments' }), {
          access_log_options: { flush_access_log_on_new_request: true },
        }),
      ],
    },
    at_once: {
      filters: [
        http(
          'at_once',
          service({ buffer_size_bytes: 0, log_name: 'at once', buffer_flush_interval: '100s' }),
        ),
      ],
    },
    secure: { filters: [http('secure', service({ log_name: 'secure' }))], ...secure },
    tcp: { filters: [tcp] },
  };
  return Object.entries(chains).map(([name, chain]) => ({
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [chain],
  }));
}

function bootstrap(als: number, upstream: number): object {
  const h2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  const cluster = (name: string, port_value: number, more: object = {}): object => ({
    name,
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } } }],
        },
      ],
    },
    ...more,
  });
  return {
    node: { id: 'n', cluster: 'c', locality: { zone: 'z' }, metadata: { key: 'value', list: [1, null] } },
    static_resources: {
      clusters: [cluster('als', als, h2), cluster('upstream', upstream), cluster('closed', 1)],
      listeners: listeners(),
    },
  };
}

interface Call {
  readonly head: object;
  readonly messages: Json[];
}

/** An access log service that keeps what it is sent. */
async function serveAls(t: TestContext, calls: Call[]): Promise<number> {
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream, head: http2.IncomingHttpHeaders) => {
    const { ':path': target, ':authority': host, 'content-type': type, te, 'x-key': key } = head;
    const call: Call = { head: { target, host, type, te, key }, messages: [] };
    calls.push(call);
    let bytes = Buffer.alloc(0);
    stream.on('error', () => undefined);
    stream.on('data', (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
        const end = 5 + bytes.readUInt32BE(1);
        call.messages.push(readMessage(bytes.subarray(5, end)));
        bytes = bytes.subarray(end);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return portOf(server as unknown as net.Server);
}

function readMessage(bytes: Buffer): Json {
  const message = decode(MESSAGE, bytes);
  // Nothing of it is unknown here: else it would be missing in both without a word.
  assert.equal(encode(MESSAGE, message).length, bytes.length, 'unknown fields');
  return toJson(MESSAGE, message, { preserveProtoFieldNames: true });
}

/** `/late` is answered after a second; trailers where they are asked for. */
async function serveUpstream(t: TestContext): Promise<number> {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      setTimeout(
        () => {
          response.setHeader('x-answer', 'yes');
          response.setHeader('date', 'Sat, 21 Nov 2026 17:00:00 GMT');
          response.end('body');
        },
        request.url === '/late' ? 1000 : 0,
      ).unref();
    });
  });
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return portOf(server);
}

async function observe(t: TestContext, command: readonly string[]): Promise<Record<string, unknown>> {
  const calls: Call[] = [];
  const [als, upstream] = [await serveAls(t, calls), await serveUpstream(t)];
  const proxy = await EnvoyProcess.start(bootstrap(als, upstream), command);
  t.after(() => proxy.stop());
  const port = (name: string): number => proxy.ports.get(name)!;
  const request = (target: string, more = '', body = ''): string =>
    `${body === '' ? 'GET' : 'POST'} ${target} HTTP/1.1\r\nhost: a.test\r\n${more}${body === '' ? '' : `content-length: ${body.length}\r\n`}\r\n${body}`;
  const entries = (): Json[] => calls.flatMap(({ messages }) => messages.flatMap(entriesOf));
  let expected = 0;
  const logged = async (more: number): Promise<void> => {
    expected += more;
    await eventually(async () => entries().length >= expected, `${expected} entries`);
  };
  const odd = 'user-agent: me\r\nreferer: there\r\nx-tag: tag\r\nx-odd: \xff\xc3\xa9\r\nx-request-id: id\r\n';
  await talk(port('full'), [request('/direct', odd), request('/up?q=1', 'x-tag: one\r\nx-tag: two\r\n')]);
  await logged(2);
  await talk(port('full'), [request('/rewritten/x', '', 'some body')]);
  await logged(1);
  for (const target of ['/nowhere', '/closed', '/late']) {
    await talk(port('full'), [request(target)]);
    await logged(1);
  }
  await talk(port('full'), [{ send: 'nonsense\r\n\r\n', await: 'close' }]);
  await logged(1);
  await talk(port('started'), [request('/direct')]);
  await logged(2);
  await talk(port('at_once'), [request('/direct')]);
  await logged(1);
  const client = tls.connect({
    port: port('secure'),
    host: '127.0.0.1',
    servername: 'sni.test',
    rejectUnauthorized: false,
    cert: pem('client.pem'),
    key: pem('client.key'),
  });
  await once(client, 'secureConnect');
  client.write(request('/direct', 'connection: close\r\n'));
  client.resume();
  await once(client, 'end');
  client.destroy();
  await logged(1);
  const socket = net.connect({ port: port('tcp'), host: '127.0.0.1' });
  socket.write(request('/up', 'connection: close\r\n'));
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  await logged(1);
  const stats = await (await fetch(`${proxy.admin}/stats?filter=grpc_access_log`)).text();
  // How entries are put together into messages is a matter of when the timer runs out.
  const streams = calls.map(({ head, messages }) => {
    const [first] = messages as { identifier: { log_name: string } }[];
    const entries = messages.flatMap(entriesOf);
    return { log: first!.identifier.log_name, head, first: first!.identifier, entries };
  });
  streams.sort((a, b) => (a.log < b.log ? -1 : 1));
  return { streams: JSON.parse(JSON.stringify(streams, comparable)), stats };
}

function entriesOf(message: Json): Json[] {
  const { http_logs: requests, tcp_logs: connections } = message as Record<string, { log_entry: Json[] }>;
  return (requests ?? connections)!.log_entry;
}

/** What differs from run to run is only looked at for being there. */
function comparable(key: string, value: unknown): unknown {
  // Not there yet.
  if (/^(up|down)stream_header_bytes/.test(key)) return undefined;
  if (key.startsWith('time_to_') || key === 'duration' || key === 'start_time') return 'a time';
  if (key === 'port_value') return (value as number) > 1 ? 'a port' : value;
  if (key === 'extensions') return Array.isArray(value) && value.length > 10;
  if (key === 'user_agent_build_version') return (value as { version: object }).version;
  if (key === 'stream_id' && (value as string).length === 36) return 'a UUID';
  if (key === 'tls_session_id') return value === '' ? '' : 'an id';
  return value;
}

describe('access logs to a service', { skip: SKIP }, () => {
  test('are those of Envoy', { timeout: 60_000 }, async (t) => {
    const [theirs, ours] = [await observe(t, [ENVOY_BIN!]), await observe(t, PILOTFISH)];
    assert.deepEqual(ours, theirs);
  });
});
