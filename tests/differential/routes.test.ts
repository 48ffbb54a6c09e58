// Random route configurations in a real Envoy and in compileRouteConfiguration: the same requests must reach the same routes and
// leave for the upstream, or come back, with the same path, host and headers.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { RouteConfig } from '../../server/api/router.ts';
import { RequestHeaders, ResponseHeaders } from '../../server/common/http/header_map.ts';
import { compileJson, streamInfo } from '../fakes/routes.ts';
import { ENVOY_BIN, EnvoyProcess } from './envoy_process.ts';
import { generateRequest, generateRouteConfiguration, Random, type RequestCase } from './route_cases.ts';

const CONFIGURATIONS = 150;
const REQUESTS_PER_CONFIGURATION = 40;
const CLUSTERS = ['one', 'two', 'three'];

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  /** Those that mutations may have made, sorted. */
  readonly responseHeaders: readonly string[];
  /** What the upstream saw; undefined for an answer of the proxy itself. */
  readonly upstream: { path: string; host: string | undefined; headers: readonly string[] } | undefined;
}

/** `name: value` of the x- headers, without those that only a whole proxy adds. */
function interesting(list: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i].toLowerCase();
    const ignored =
      /^x-(request-id|forwarded-proto|forwarded-for|envoy-(expected|upstream|internal|attempt|external))/;
    if (name.startsWith('x-') && !ignored.test(name)) lines.push(`${name}: ${list[i + 1]}`);
  }
  return lines.sort();
}

function listener(name: string, routeConfig: object): object {
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: 'hcm',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'x',
              generate_request_id: false,
              route_config: routeConfig,
              http_filters: [
                {
                  name: 'router',
                  typed_config: {
                    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function cluster(name: string, port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    connect_timeout: '5s',
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

async function askEnvoy(port: number, request: RequestCase, agent: http.Agent): Promise<Answer> {
  const { method, path, headers, host } = request;
  return new Promise((resolve, reject) => {
    const client = http.request({
      port,
      host: '127.0.0.1',
      method,
      path,
      agent,
      headers: ['host', host, ...headers],
    });
    client.on('error', reject);
    client.on('response', (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => (body += text));
      response.on('end', () => {
        const echoed = response.headers['x-upstream'] !== undefined;
        const seen = echoed ? (JSON.parse(body) as { url: string; raw: string[] }) : undefined;
        const at = seen?.raw.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host') ?? -1;
        resolve({
          status: response.statusCode!,
          location: response.headers.location,
          responseHeaders: interesting(response.rawHeaders).filter((line) => !line.startsWith('x-upstream')),
          upstream: seen && { path: seen.url, host: seen.raw[at + 1], headers: interesting(seen.raw) },
        });
      });
    });
    client.end();
  });
}

/** What the router filter would do with our compiled routes. */
function askOurs(config: RouteConfig, request: RequestCase): Answer {
  const headers = new RequestHeaders(request.method, request.path, request.host, 'http', [
    'x-forwarded-proto',
    'http',
  ]);
  for (let i = 0; i < request.headers.length; i += 2) {
    headers.append(request.headers[i].toLowerCase(), request.headers[i + 1].trim());
  }
  const info = streamInfo();
  info.protocol = 'HTTP/1.1';
  const route = config.route(headers, info, 12345);
  const explained = config.explain(headers, info, 12345);
  assert.equal(explained.matched, route !== undefined, 'explain() and route() agree');
  if (route === undefined)
    return { status: 404, location: undefined, responseHeaders: [], upstream: undefined };

  const response = new ResponseHeaders(200, []);
  const direct = route.directResponseEntry;
  if (direct !== undefined) {
    direct.rewritePathHeader(headers);
    const uri = direct.newUri(headers);
    const redirects = direct.responseCode === 201 || Math.trunc(direct.responseCode / 100) === 3;
    route.finalizeResponseHeaders(response, headers, info);
    return {
      status: direct.responseCode,
      location: uri !== '' && redirects ? uri : undefined,
      responseHeaders: interesting(response.list),
      upstream: undefined,
    };
  }
  const entry = route.routeEntry!;
  if (!CLUSTERS.includes(entry.clusterName(headers, 12345))) {
    route.finalizeResponseHeaders(response, headers, info);
    return {
      status: entry.clusterNotFoundResponseCode,
      location: undefined,
      responseHeaders: interesting(response.list),
      upstream: undefined,
    };
  }
  entry.finalizeRequestHeaders(headers, info, true);
  response.append('x-echo', 'yes');
  response.append('x-gone', 'no');
  route.finalizeResponseHeaders(response, headers, info);
  return {
    status: 200,
    location: undefined,
    responseHeaders: interesting(response.list),
    upstream: { path: headers.path, host: headers.host, headers: interesting(headers.list) },
  };
}

describe('routes, against Envoy', { skip: ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN' }, () => {
  const random = new Random(20261121);
  const configurations = Array.from({ length: CONFIGURATIONS }, (_, i) =>
    generateRouteConfiguration(random, `routes-${i}`),
  );
  const agent = new http.Agent({ keepAlive: true });
  let upstream: http.Server;
  let envoy: EnvoyProcess;

  before(async () => {
    upstream = http.createServer((request, response) => {
      response.writeHead(200, { 'x-upstream': 'yes', 'x-echo': 'yes', 'x-gone': 'no' });
      response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders }), 'latin1');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    envoy = await EnvoyProcess.start({
      static_resources: {
        listeners: configurations.map((config, i) => listener(`routes-${i}`, config)),
        clusters: CLUSTERS.map((name) => cluster(name, port)),
      },
    });
  });

  after(async () => {
    agent.destroy();
    await envoy?.stop();
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  for (const [i, config] of configurations.entries()) {
    test(`configuration ${i}`, async () => {
      const compiled = compileJson(config);
      const port = envoy.ports.get(`routes-${i}`)!;
      for (let n = 0; n < REQUESTS_PER_CONFIGURATION; n++) {
        const request = generateRequest(random);
        const expected = await askEnvoy(port, request, agent);
        const ours = askOurs(compiled, request);
        assert.deepEqual(
          forComparison(request, ours),
          forComparison(request, expected),
          `${JSON.stringify(request)} with ${JSON.stringify(config)}`,
        );
      }
    });
  }
});

/** A gRPC client gets local replies as 200 with a grpc-status: the connection manager's work, not the route's. */
function forComparison(request: RequestCase, answer: Answer): Answer {
  const grpc = request.headers.some((text) => /^application\/grpc(\+|$)/.test(text));
  return grpc && answer.upstream === undefined ? { ...answer, status: 200 } : answer;
}
