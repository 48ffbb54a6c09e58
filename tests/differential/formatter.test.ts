// The same requests through a real Envoy's access log and through our formatter, given the facts Envoy logged: text, JSON
// and the default line must be equal, byte for byte.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { LogContext } from '../../server/api/access_log.ts';
import type { Route } from '../../server/api/router.ts';
import type { Address } from '../../server/api/stream_info.ts';
import type { Cluster } from '../../server/api/upstream/cluster.ts';
import type { HostDescription } from '../../server/api/upstream/host.ts';
import {
  compileFormat,
  compileSubstitutionFormatString,
  DEFAULT_FORMAT,
} from '../../server/common/formatter/substitution_formatter.ts';
import { RequestHeaders, ResponseHeaders } from '../../server/common/http/header_map.ts';
import { responseFlagFromShortString } from '../../server/common/stream_info/response_flags.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { fakeFactoryContext } from '../fakes/factory_context.ts';
import { ipAddress } from '../fakes/log_context.ts';
import { ENVOY_BIN, EnvoyProcess } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';

/** What Envoy knows and a test cannot: logged as JSON, one line a request. */
const FACTS = {
  start: '%START_TIME(%s.%6f)%',
  duration: '%DURATION%',
  requestId: '%REQ(X-REQUEST-ID)%',
  remote: '%DOWNSTREAM_REMOTE_ADDRESS%',
  directRemotePort: '%DOWNSTREAM_DIRECT_REMOTE_PORT%',
  connectionId: '%CONNECTION_ID%',
  code: '%RESPONSE_CODE%',
  details: '%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%',
  flags: '%RESPONSE_FLAGS%',
  received: '%BYTES_RECEIVED%',
  sent: '%BYTES_SENT%',
  serviceTime: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  upstreamHost: '%UPSTREAM_HOST%',
  upstreamLocal: '%UPSTREAM_LOCAL_ADDRESS%',
  upstreamConnectionId: '%UPSTREAM_CONNECTION_ID%',
  upstreamProtocol: '%UPSTREAM_PROTOCOL%',
  cluster: '%UPSTREAM_CLUSTER_RAW%',
  failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  route: '%ROUTE_NAME%',
};
type Facts = Record<keyof typeof FACTS, string | number | null>;

const STRFTIME =
  '%START_TIME(%a %A %b %B %c %C %d %D %e %F %g %G %h %I %j %k %l)%|' +
  '%START_TIME(%M %p %P %r %R %t %T %u %U %V %w %W %x %X %y %z %Z %% %E4S %Ez %E*S %Ey %q)%|' +
  '%START_TIME(%s.%6f %f %9f %1f %0f %E3f %3s %5d %-d %_d %^a)%|%START_TIME%';

const TEXTS = [
  DEFAULT_FORMAT,
  `${STRFTIME}\n`,
  '%REQ(X-A?X-B):3%|%REQ(x-rep)%|%REQ(:METHOD)%|%RESP(x-up)%|%TRAILER(t)%|%PATH%|%PATH(NQ)%|%PATH(WQ:PATH)%|%PATH(NQ:ORIG)%\n',
  '%QUERY_PARAM(a)%|%QUERY_PARAM(a):1%|%QUERY_PARAM(zz)%|%QUERY_PARAMS%|%QUERY_PARAMS(DECODED)%|%REQUEST_HEADER(:authority)%\n',
  '%RESPONSE_CODE_DETAILS%|%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%|%RESPONSE_FLAGS_LONG%|%CONNECTION_TERMINATION_DETAILS%|%CONNECTION_ID%\n',
  '%ROUTE_NAME%|%FILTER_CHAIN_NAME%|%LISTENER_NAME%|%METADATA(ROUTE:rt)%|%METADATA(ROUTE:rt:n)%|%METADATA(LISTENER:lm)%|%METADATA(CLUSTER:cm:a)%|%CLUSTER_METADATA(cm)%|%DYNAMIC_METADATA(x)%\n',
  '%UPSTREAM_CLUSTER%|%UPSTREAM_CLUSTER_RAW%|%UPSTREAM_HOST_NAME%|%UPSTREAM_HOST_NAME_WITHOUT_PORT%|%UPSTREAM_TRANSPORT_FAILURE_REASON%|%UPSTREAM_PROTOCOL%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%|%UPSTREAM_CONNECTION_ID%\n',
  '%DOWNSTREAM_REMOTE_ADDRESS%|%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%|%DOWNSTREAM_LOCAL_PORT%|%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%|%UPSTREAM_LOCAL_ADDRESS%|%UPSTREAM_REMOTE_ADDRESS%\n',
  '%REQUESTED_SERVER_NAME%|%REQUESTED_SERVER_NAME(SNI_FIRST)%|%REQUESTED_SERVER_NAME(HOST_FIRST:HOST)%|%DOWNSTREAM_TLS_VERSION%|%DOWNSTREAM_PEER_CERT_V_START%|%VIRTUAL_CLUSTER_NAME%|%TRACE_ID%\n',
  '%COALESCE({"operators":["REQUESTED_SERVER_NAME",{"command":"REQ","param":":authority"}]})%|%COALESCE({"operators":[{"command":"REQ","param":"nope"},"ROUTE_NAME","RESPONSE_CODE"]}):2%|%COALESCE({"operators":[{"command":"REQ","param":"nope"}]})%|%COALESCE({"operators":[{"command":"REQ","param":":path","max_length":3}]})%\n',
  '%CUSTOM_FLAGS%|%SPAN_ID%|%TLS_JA3_FINGERPRINT%|%TLS_JA4_FINGERPRINT%|%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%|%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID%|%UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID%|%STREAM_INFO_REQ(X-A?X-B):3%|%UPSTREAM_SERVER_NAME%|%UPSTREAM_HOSTS_ATTEMPTED%|%UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%|%UPSTREAM_HOST_NAMES_ATTEMPTED%|%UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT%|%UPSTREAM_CONNECTION_IDS_ATTEMPTED%\n',
  '%GRPC_STATUS%|%GRPC_STATUS(SNAKE_STRING)%|%GRPC_STATUS_NUMBER%|%ACCESS_LOG_TYPE%|%LOCAL_REPLY_BODY%|%ENVIRONMENT(HOME):3%|%ENVIRONMENT(NO_SUCH)%|%STREAM_ID%|%HOSTNAME%|%ROUNDTRIP_DURATION%|%%\n',
];

const JSON_FORMAT = {
  b: '%RESPONSE_CODE%',
  a: 'x %RESPONSE_CODE% %REQ(nope)%',
  missing: '%REQ(nope)%',
  bool: true,
  integer: 5,
  nothing: null,
  coalesced: '%COALESCE({"operators":["RESPONSE_CODE"]})%',
  z: { q: '%BYTES_SENT%', list: ['%REQ(:method)%', '%REQ(nope)%', { k: 'v' }], empty: { m: '%REQ(nope)%' } },
  unicode: '%REQ(x-uni)%',
  bad: '%REQ(x-bad)%',
  quoted: '%REQ(x-quoted)%',
  metadata: '%METADATA(ROUTE:rt)%',
  port: '%UPSTREAM_REMOTE_PORT%',
  seconds: '%START_TIME(%s)%',
  'q"k': '"\\\u0001é%%',
  two: '%PROTOCOL%%PROTOCOL%',
  grpc: '%GRPC_STATUS_NUMBER%',
  Upper: '1',
  10: 'x',
};
const JSONS = [{ json_format: JSON_FORMAT }, { json_format: JSON_FORMAT, omit_empty_values: true }];
const OMITTING = {
  text_format_source: { inline_string: '[%REQ(nope)%][%REQ(x-uni)%]\n' },
  omit_empty_values: true,
};

const ROUTE_METADATA = { rt: { a: 'b', n: 'c', l: [1, 'x', true, null], o: { z: 1, a: 2 } } };
const REQUESTS: readonly {
  readonly method?: string;
  readonly path: string;
  readonly headers?: readonly string[];
}[] = [
  { path: '/up/x?a=1%202&b=3', headers: ['x-b', 'hello', 'x-rep', 'a', 'x-rep', 'b', 'x-uni', 'Ã©'] },
  { path: '/up/y', headers: ['x-bad', 'aÿb\t"\\', 'x-quoted', 'a "b" \\ \t /'] },
  { path: '/dead', headers: ['x-envoy-original-path', '/orig?q=1', 'content-type', 'application/grpc'] },
  { path: '/direct?', method: 'PUT', headers: ['user-agent', 'ua', 'x-forwarded-for', '1.2.3.4'] },
  { path: '/none?a=%41%20%2F+c&&d&c%20d=1&p=%zz%e9%C3%22%7e%5e&%4' },
];

describe('access log lines are Envoy’s', { skip: SKIP }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'formatter-'));
  const file = (index: number): string => join(directory, `${index}.log`);
  const lines = (index: number): string[] => readFileSync(file(index), 'latin1').split('\n').slice(0, -1);
  const formats: readonly object[] = [
    { json_format: FACTS },
    ...TEXTS.map((text) => ({ text_format_source: { inline_string: text } })),
    ...JSONS,
    OMITTING,
  ];
  let backend: Server;
  let envoy: EnvoyProcess | undefined;
  let port: number;
  const responses: string[] = [];

  before(async () => {
    backend = createServer((_request, response) => {
      response.setHeader('x-up', 'caf\xe9');
      response.end('hello');
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    envoy = await EnvoyProcess.start(bootstrap((backend.address() as AddressInfo).port));
    port = envoy.ports.get('lis')!;
    for (const { method = 'GET', path, headers = [] } of REQUESTS) {
      let head = `${method} ${path} HTTP/1.1\r\nhost: ex.com:99\r\nconnection: close\r\n`;
      for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
      responses.push(await exchange(port, `${head}\r\n`));
    }
    for (let i = 0; i < 100 && formats.some((_, index) => lines(index).length < REQUESTS.length); i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  after(async () => {
    await envoy?.stop();
    backend?.close();
    backend?.closeAllConnections();
  });

  for (const [index, format] of formats.entries()) {
    if (index === 0) continue;
    test(JSON.stringify(format).slice(0, 90), () => {
      const message = fromJson('envoy.config.core.v3.SubstitutionFormatString', format);
      const context = fakeFactoryContext({ listener: listenerScope() });
      const formatter =
        index === 1
          ? compileFormat(DEFAULT_FORMAT, context, '')
          : compileSubstitutionFormatString(message, context, '');
      const expected = lines(index);
      assert.equal(expected.length, REQUESTS.length);
      for (const [i, facts] of lines(0).entries()) {
        assert.equal(formatter.format(logContext(i, JSON.parse(facts) as Facts)), `${expected[i]}\n`);
      }
    });
  }

  function listenerScope() {
    return {
      name: 'lis',
      statName: 'lis',
      trafficDirection: 'UNSPECIFIED',
      metadata: { lm: { a: 'lb' } },
      chainId: () => '',
      draining: () => false,
      perConnectionBufferLimitBytes: 0,
    } as const;
  }

  function logContext(index: number, facts: Facts): LogContext {
    const { method = 'GET', path, headers = [] } = REQUESTS[index];
    const text = (key: keyof Facts): string => String(facts[key] ?? '');
    const number = (key: keyof Facts): number => Number(facts[key] ?? 0);
    const local = ipAddress('127.0.0.1', port);
    const connection = new ConnectionInfoRecord(
      number('connectionId'),
      ipAddress('127.0.0.1', number('directRemotePort')),
      local,
      'lis',
    );
    connection.filterChainName = 'fc1';
    const [seconds, fraction] = text('start').split('.');
    const info = new StreamInfoRecord(connection, Number(seconds) * 1000 + Number(fraction) / 1000, 1000);
    info.remoteAddress = addressOf(text('remote'));
    info.requestComplete = 1000 + number('duration');
    info.protocol = 'HTTP/1.1';
    info.responseCode = number('code');
    info.responseCodeDetails = text('details');
    for (const flag of text('flags').split(',')) info.responseFlags |= responseFlagFromShortString(flag) ?? 0;
    info.bytesReceived = number('received');
    info.bytesSent = number('sent');
    info.routeName = text('route');
    info.requestId = text('requestId');
    info.upstreamProtocol = text('upstreamProtocol');
    info.upstreamTransportFailureReason = text('failure');
    info.upstreamRequestAttemptCount = number('attempts');
    info.upstreamClusterName = text('cluster');
    if (facts.upstreamHost !== null) {
      const [ip, hostPort] = text('upstreamHost').split(':');
      info.upstreamHost = {
        address: ipAddress(ip, Number(hostPort)),
        hostname: '',
      } as unknown as HostDescription;
    }
    if (facts.upstreamLocal !== null) {
      const [id, own] = [number('upstreamConnectionId'), addressOf(text('upstreamLocal'))];
      info.upstreamConnection = new ConnectionInfoRecord(id, own, own, '');
    }
    if (facts.route === 'r-up') info.route = { metadata: ROUTE_METADATA } as unknown as Route;
    if (facts.cluster === 'c') {
      info.upstreamCluster = { statName: 'alt_c', metadata: { cm: { a: 'b' } } } as unknown as Cluster;
    }
    return {
      requestHeaders: new RequestHeaders(method, path, 'ex.com:99', 'http', [
        'x-request-id',
        text('requestId'),
        ...headers,
      ]),
      responseHeaders: responseOf(responses[index], info.responseCode, facts.serviceTime),
      responseTrailers: undefined,
      streamInfo: info,
      localReplyBody: '',
      accessLogType: 'DownstreamEnd',
    };
  }

  function addressOf(text: string): Address {
    const [ip, value] = text.split(':');
    return ipAddress(ip, Number(value));
  }

  /** The head that came back, and the header that Envoy adds for the log. */
  function responseOf(response: string, code: number, serviceTime: string | number | null): ResponseHeaders {
    const headers = new ResponseHeaders(code);
    for (const line of response.slice(0, response.indexOf('\r\n\r\n')).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      headers.append(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    if (serviceTime !== null) headers.set('x-envoy-upstream-service-time', String(serviceTime));
    return headers;
  }

  function bootstrap(backendPort: number): object {
    const X = 'type.googleapis.com/envoy.extensions.';
    const cluster = (name: string, endpointPort: number, rest: object = {}): object => ({
      name,
      ...rest,
      load_assignment: {
        cluster_name: name,
        endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(endpointPort) } }] }],
      },
    });
    const access_log = formats.map((log_format, index) => ({
      name: 'file',
      typed_config: {
        '@type': `${X}access_loggers.file.v3.FileAccessLog`,
        path: file(index),
        ...(index !== 1 && { log_format }),
      },
    }));
    const routes = [
      {
        name: 'r-up',
        match: { prefix: '/up' },
        route: { cluster: 'c' },
        metadata: { filter_metadata: ROUTE_METADATA },
      },
      { match: { prefix: '/dead' }, route: { cluster: 'dead' } },
      { match: { prefix: '/direct' }, direct_response: { status: 404, body: { inline_string: 'nope' } } },
    ];
    const manager = {
      '@type': `${X}filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'x',
      access_log,
      route_config: { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
      http_filters: [{ name: 'router', typed_config: { '@type': `${X}filters.http.router.v3.Router` } }],
    };
    return {
      static_resources: {
        clusters: [
          cluster('c', backendPort, {
            alt_stat_name: 'alt_c',
            metadata: { filter_metadata: { cm: { a: 'b' } } },
          }),
          cluster('dead', 1),
        ],
        listeners: [
          {
            name: 'lis',
            metadata: { filter_metadata: { lm: { a: 'lb' } } },
            address: socketAddress(0),
            filter_chains: [{ name: 'fc1', filters: [{ name: 'hcm', typed_config: manager }] }],
          },
        ],
      },
    };
  }

  function socketAddress(value: number): object {
    return { socket_address: { address: '127.0.0.1', port_value: value } };
  }
});

/** Sends bytes and returns all that comes back until the other side closes. Text is latin1. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let response = '';
    socket.setEncoding('latin1');
    socket.on('data', (text) => (response += text));
    socket.once('error', reject);
    socket.once('close', () => resolve(response));
    socket.end(request, 'latin1');
  });
}
