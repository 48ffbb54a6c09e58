// Requests and connections to where their clients say: dynamic_forward_proxy clusters with their DNS cache. Both proxies are
// asked the same, and answers, access logs, stats and the questions to a DNS server are compared.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { listener, portOf, TYPE, tcpFilter } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';

let backend: http.Server;
let dns: FakeDnsServer;
before(async () => {
  backend = http.createServer((request, response) => response.end(`${request.headers.host}`));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  dns = await FakeDnsServer.start({
    'a.test': ['127.0.0.1'],
    'b.test': ['127.0.0.1'],
    'late.test': ['127.0.0.1'],
    'broken.test': 'fail',
    'silent.test': 'silent',
    'refused.test': ['127.0.0.9'],
    'turns.test': ['127.0.0.9', '127.0.0.1'],
  });
});
after(() => {
  backend.close().closeAllConnections();
  dns.close();
});

const cache = (more: object = {}): object => ({
  dns_cache_config: {
    name: 'cache',
    dns_lookup_family: 'V4_ONLY',
    typed_dns_resolver_config: dns.resolver({ query_tries: 1 }),
    ...more,
  },
});

function bootstrap(more: object, filter: object, listeners: readonly object[] = []): object {
  const port = portOf(backend);
  const perRoute = (config: object): object => ({
    'envoy.filters.http.dynamic_forward_proxy': {
      '@type': `${TYPE}extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig`,
      ...config,
    },
  });
  const routes = [
    {
      match: { prefix: '/literal' },
      typed_per_filter_config: perRoute({ host_rewrite_literal: `b.test:${port}` }),
    },
    { match: { prefix: '/header' }, typed_per_filter_config: perRoute({ host_rewrite_header: 'x-to' }) },
    { match: { prefix: '/' } },
  ].map((route) => ({ ...route, route: { cluster: 'dynamic' } }));
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      {
        name: 'envoy.filters.http.dynamic_forward_proxy',
        typed_config: {
          '@type': `${TYPE}extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig`,
          ...cache(more),
          ...filter,
        },
      },
      { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
    access_log: [
      {
        name: 'log',
        typed_config: {
          '@type': `${TYPE}extensions.access_loggers.stream.v3.StdoutAccessLog`,
          log_format: {
            text_format_source: {
              inline_string:
                'LOG %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%\n',
            },
          },
        },
      },
    ],
  };
  return {
    static_resources: {
      clusters: [
        {
          name: 'dynamic',
          connect_timeout: '1s',
          lb_policy: 'CLUSTER_PROVIDED',
          cluster_type: {
            name: 'envoy.clusters.dynamic_forward_proxy',
            typed_config: {
              '@type': `${TYPE}extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`,
              ...cache(more),
            },
          },
        },
      ],
      listeners: [listener('in', 0, [{ filters: [{ name: 'http', typed_config: manager }] }]), ...listeners],
    },
  };
}

type Request = readonly [path: string, headers: http.OutgoingHttpHeaders];

function compare(
  name: string,
  requests: readonly Request[] | ((proxy: EnvoyProcess) => Promise<unknown>),
  more: object = {},
  { listeners = () => [], filter = {} }: { listeners?: () => object[]; filter?: object } = {},
): void {
  test(name, { skip, timeout: 40_000 }, async () => {
    const results: unknown[] = [];
    for (const command of [PILOTFISH, [ENVOY_BIN!]]) {
      dns.questions.length = 0;
      const proxy = await EnvoyProcess.start(bootstrap(more, filter, listeners()), command);
      try {
        const answers =
          typeof requests === 'function' ? await requests(proxy) : await answersTo(proxy, requests);
        await sleep(300);
        results.push({
          answers,
          log: proxy.log.split('\n').filter((line) => line.startsWith('LOG')),
          questions: [...new Set(dns.questions)].sort(),
          stats: await stats(proxy),
        });
      } finally {
        await proxy.stop();
      }
    }
    assert.deepEqual(results[0], results[1]);
  });
}

async function answersTo(proxy: EnvoyProcess, requests: readonly Request[]): Promise<string[]> {
  const all: string[] = [];
  for (const [path, headers] of requests) {
    const port = proxy.ports.get('in')!;
    const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    all.push(`${path} ${response.statusCode} ${body}`);
  }
  return all;
}

async function stats(proxy: EnvoyProcess): Promise<string[]> {
  const text = await (
    await fetch(`${proxy.admin}/stats?filter=dns_cache|dynamic.*upstream_(rq|cx)_(total|pending_overflow)`)
  ).text();
  return text
    .trim()
    .split('\n')
    .filter((line) => !line.endsWith(': 0'))
    .sort();
}

const to = (host: string, more: object = {}): http.OutgoingHttpHeaders => ({
  host: `${host}:${portOf(backend)}`,
  ...more,
});

suite('Balancing: dynamic_forward_proxy', () => {
  const first = (): Request[] => [
    ['/1', to('a.test')],
    ['/2', to('a.test')],
    ['/3', to('b.test')],
    ['/literal', to('nobody.test')],
    ['/header', to('nobody.test', { 'x-to': `a.test:${portOf(backend)}` })],
    ['/header', to('a.test')],
    ['/turns', to('turns.test')],
    ['/4', { host: `127.0.0.1:${portOf(backend)}` }],
  ];
  compare('hosts that are there', async (proxy) => {
    const answers = await answersTo(proxy, first());
    const hosts = await (await fetch(`${proxy.admin}/clusters?filter=dynamic`)).text();
    // Where one host has several addresses, Envoy counts a connection for each that it tries.
    const lines = hosts.split('\n').filter((line) => !line.startsWith('dynamic::127.0.0.9:'));
    return { answers, hosts: lines.sort() };
  });
  compare('hosts that are not', (proxy) =>
    answersTo(proxy, [
      ['/1', to('nobody.test')],
      ['/2', to('nobody.test')],
      ['/3', to('refused.test')],
      ['/4', { host: 'a.test:1' }],
    ]),
  );
  compare('a DNS server that fails', (proxy) => answersTo(proxy, [['/1', to('broken.test')]]));
  compare('a DNS server that says nothing', (proxy) => answersTo(proxy, [['/1', to('silent.test')]]), {
    dns_query_timeout: '0.5s',
  });
  compare(
    'too many hosts',
    (proxy) =>
      answersTo(proxy, [
        ['/1', to('a.test')],
        ['/2', to('b.test')],
        ['/3', to('a.test')],
      ]),
    { max_hosts: 1 },
  );
  compare(
    'too many requests that wait',
    async (proxy) => {
      const waiting = answersTo(proxy, [['/waits', to('silent.test')]]);
      await sleep(300);
      return [...(await answersTo(proxy, [['/1', to('a.test')]])), ...(await waiting)];
    },
    { dns_cache_circuit_breaker: { max_pending_requests: 1 }, dns_query_timeout: '1s' },
  );
  compare(
    'names that are resolved beforehand',
    async (proxy) => {
      await sleep(500);
      dns.questions.push('then');
      return answersTo(proxy, [['/1', to('a.test')]]);
    },
    { preresolve_hostnames: [{ address: 'b.test', port_value: 80 }] },
  );
  compare(
    'hosts that nobody asks for are forgotten',
    async (proxy) => {
      const answers = await answersTo(proxy, [['/1', to('a.test')]]);
      await sleep(4500);
      return answers;
    },
    { host_ttl: '1.5s', dns_min_refresh_rate: '1s', dns_refresh_rate: '1s' },
  );
  compare(
    'TLS by its server name',
    async (proxy) => {
      const server = net.createServer((socket) => {
        socket.once('data', (bytes) =>
          socket.end(bytes.includes('a.test') ? 'a ClientHello for a.test' : '?'),
        );
        socket.on('error', () => undefined);
      });
      server.listen(SNI_PORT, '127.0.0.1');
      await once(server, 'listening');
      try {
        const answers: string[] = [];
        for (const servername of ['a.test', 'nobody.test']) {
          const raw = net.connect(proxy.ports.get('sni')!, '127.0.0.1');
          let received = '';
          const closed = new Promise((resolve) => raw.once('close', resolve));
          raw.on('data', (bytes) => (received += bytes.toString('latin1')));
          raw.on('error', () => undefined);
          const hello = clientHello(servername);
          raw.write(await hello);
          await closed;
          answers.push(`${servername}: ${received}`);
        }
        return answers;
      } finally {
        server.close();
      }
    },
    {},
    {
      listeners: () => [
        listener(
          'sni',
          0,
          [
            {
              filters: [
                {
                  name: 'sni',
                  typed_config: {
                    '@type': `${TYPE}extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig`,
                    port_value: SNI_PORT,
                    ...cache(),
                  },
                },
                tcpFilter('dynamic'),
              ],
            },
          ],
          {
            listener_filters: [
              {
                name: 'tls',
                typed_config: { '@type': `${TYPE}extensions.filters.listener.tls_inspector.v3.TlsInspector` },
              },
            ],
          },
        ),
      ],
    },
  );
});

const SNI_PORT = 21_443;

/** The first bytes of a TLS client. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: portOf(server), host: '127.0.0.1', servername });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}
