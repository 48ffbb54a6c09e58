// Clusters whose hosts are not simply given: aggregate clusters, names by DNS. Both proxies are asked the same, and
// what they answer, count and ask of a DNS server is compared.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { Agent } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { ask } from '../integration/proxy_process.ts';
import { httpFilter, listener, namedBackend, portOf, TYPE, tcpFilter } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

/** Nobody listens there. */
const CLOSED_PORT = 1;
const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';

let backends: http.Server[];
let dns: FakeDnsServer;
before(async () => {
  backends = await Promise.all(['one', 'two', 'three'].map(namedBackend));
  dns = await FakeDnsServer.start({
    'one.test': ['127.0.0.1'],
    'two.test': ['127.0.0.1', '127.0.0.2'],
    'six.test': ['::1'],
    'both.test': ['::1', '127.0.0.1'],
    'broken.test': 'fail',
    'turns.test': ['127.0.0.9', '127.0.0.1'],
  });
});
after(() => {
  for (const server of backends) server.close().closeAllConnections();
  dns.close();
});

const at = (port_value: number, more: object = {}, address = '127.0.0.1'): object => ({
  endpoint: { address: { socket_address: { address, port_value } } },
  ...more,
});
const cluster = (name: string, localities: readonly object[], more: object = {}): object => ({
  name,
  connect_timeout: '1s',
  load_assignment: { cluster_name: name, endpoints: localities },
  ...more,
});
const extension = (name: string, type: string, config: object, more: object = {}): object => ({
  name,
  connect_timeout: '1s',
  cluster_type: { name: 'x', typed_config: { '@type': `${TYPE}extensions.clusters.${type}`, ...config } },
  ...more,
});
const aggregate = (name: string, clusters: readonly string[], more: object = {}): object =>
  extension(name, 'aggregate.v3.ClusterConfig', { clusters }, { lb_policy: 'CLUSTER_PROVIDED', ...more });

function bootstrap(clusters: readonly object[], route: object = {}, more: readonly object[] = []): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster', ...route } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  return {
    static_resources: { clusters, listeners: [listener('in', 0, [{ filters: [manager] }]), ...more] },
  };
}

/** What a test does with a proxy; the result must be the same for both. */
type Observe = (proxy: EnvoyProcess) => Promise<unknown>;

function compare(name: string, config: () => object, observe: Observe): void {
  test(name, { skip, timeout: 40_000 }, async () => {
    const results: unknown[] = [];
    for (const command of [PILOTFISH, [ENVOY_BIN!]]) {
      dns.questions.length = 0;
      const proxy = await EnvoyProcess.start(config(), command);
      try {
        results.push(await observe(proxy));
      } finally {
        await proxy.stop();
      }
    }
    assert.deepEqual(results[0], results[1]);
  });
}

/** Status and body of each request, to the cluster of that name. */
async function answers(proxy: EnvoyProcess, names: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const name of names) {
    const { status, body } = await ask(`http://127.0.0.1:${proxy.ports.get('in')}/`, {
      headers: { 'x-cluster': name },
    });
    all.push(`${name}: ${status} ${body.replace(/ Connection refused.*/, '')}`);
  }
  return all;
}

/** Counters of a cluster that are not 0. */
async function counters(proxy: EnvoyProcess, pattern: string): Promise<string[]> {
  const text = await (await fetch(`${proxy.admin}/stats?filter=${encodeURIComponent(pattern)}`)).text();
  return text
    .trim()
    .split('\n')
    .filter((line) => !/: (0|No recorded values)$/.test(line) && !/(ms|per_cx|time|bytes_total): /.test(line))
    .sort();
}

suite('Balancing: aggregate clusters', () => {
  const clusters = (): object[] => {
    const [one, two, three] = backends.map(portOf) as [number, number, number];
    const down = { health_status: 'UNHEALTHY' };
    return [
      cluster('one', [{ lb_endpoints: [at(one)] }]),
      cluster('two', [{ lb_endpoints: [at(two)] }]),
      cluster('down', [{ lb_endpoints: [at(one, down)] }]),
      cluster('empty', []),
      cluster('priorities', [{ lb_endpoints: [at(one, down)] }, { priority: 1, lb_endpoints: [at(three)] }]),
      cluster('degraded', [{ lb_endpoints: [at(three, { health_status: 'DEGRADED' })] }]),
      cluster('refused', [{ lb_endpoints: [at(CLOSED_PORT)] }]),
      cluster('hash', [{ lb_endpoints: [at(two)] }], { lb_policy: 'RING_HASH' }),
      aggregate('a-first', ['one', 'two']),
      aggregate('a-down', ['down', 'two']),
      aggregate('a-missing', ['nobody', 'two']),
      aggregate('a-nobody', ['nobody']),
      aggregate('a-empty', ['empty', 'one']),
      aggregate('a-priorities', ['priorities', 'two']),
      aggregate('a-degraded', ['degraded', 'down']),
      aggregate('a-all-down', ['down', 'down']),
      aggregate('a-no-panic', ['down'], { common_lb_config: { healthy_panic_threshold: {} } }),
      aggregate('a-of-a', ['a-down', 'one']),
      aggregate('a-refused', ['refused', 'two']),
      aggregate('a-hash', ['hash']),
    ];
  };
  const names = [
    ...['a-first', 'a-down', 'a-missing', 'a-nobody', 'a-empty', 'a-priorities', 'a-degraded'],
    ...['a-all-down', 'a-no-panic', 'a-hash', 'a-of-a'],
  ];

  compare(
    'the first cluster that can',
    () => bootstrap(clusters()),
    async (proxy) => ({
      answers: await answers(proxy, [...names, ...names]),
      stats: await counters(
        proxy,
        '^cluster\\.(a-|one|two|hash).*(upstream_(rq|cx)_(total|active|\\d|none|comp)|membership)',
      ),
    }),
  );

  compare(
    'a retry at another priority goes to the next cluster',
    () =>
      bootstrap(clusters(), {
        retry_policy: {
          retry_on: 'connect-failure',
          num_retries: 3,
          retry_back_off: { base_interval: '0.001s' },
          retry_priority: {
            name: 'p',
            typed_config: {
              '@type': `${TYPE}extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig`,
              update_frequency: 1,
            },
          },
        },
      }),
    async (proxy) => ({
      answers: await answers(proxy, ['a-refused', 'a-refused']),
      stats: await counters(
        proxy,
        '^cluster\\.(a-refused|refused|two)\\..*upstream_(rq|cx)_(total|retry|connect_fail)',
      ),
    }),
  );

  compare(
    'TCP connections',
    () => bootstrap(clusters(), {}, [listener('tcp', 0, [{ filters: [tcpFilter('a-down')] }])]),
    async (proxy) => {
      const { body } = await ask(`http://127.0.0.1:${proxy.ports.get('tcp')}/`);
      await sleep(200);
      return {
        body,
        stats: await counters(proxy, '^cluster\\.(a-down|two)\\..*upstream_(rq|cx)_(total|active)'),
      };
    },
  );
});

suite('Balancing: clusters by DNS', () => {
  const port = (): number => portOf(backends[0]!);
  const named = (name: string, host: string, more: object = {}): object =>
    cluster(name, [{ lb_endpoints: [at(port(), {}, host)] }], {
      type: 'STRICT_DNS',
      dns_lookup_family: 'V4_ONLY',
      typed_dns_resolver_config: dns.resolver(),
      ...more,
    });
  const byExtension = (name: string, host: string, config: object): object => ({
    ...extension(name, 'dns.v3.DnsCluster', {
      typed_dns_resolver_config: dns.resolver(),
      dns_lookup_family: 'V4_ONLY',
      ...config,
    }),
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [at(port(), {}, host)] }] },
  });

  compare(
    'hosts, by type and by extension, and families',
    () =>
      bootstrap([
        named('strict', 'two.test'),
        named('logical', 'two.test', { type: 'LOGICAL_DNS' }),
        named('by-name', 'two.test', { type: undefined, cluster_type: { name: 'envoy.cluster.strict_dns' } }),
        byExtension('extension', 'two.test', {}),
        byExtension('extension-single', 'two.test', { all_addresses_in_single_endpoint: true }),
        ...['AUTO', 'V4_ONLY', 'V6_ONLY', 'V4_PREFERRED', 'ALL'].map((dns_lookup_family) =>
          named(`family-${dns_lookup_family}`, 'both.test', { dns_lookup_family }),
        ),
        named('family-six', 'six.test', { dns_lookup_family: 'V4_PREFERRED' }),
        named('nobody', 'nobody.test'),
        named('broken', 'broken.test'),
      ]),
    async (proxy) => {
      const text = await (await fetch(`${proxy.admin}/clusters`)).text();
      return {
        hosts: text
          .split('\n')
          .filter((line) => /::(cx_total|hostname)::/.test(line))
          .sort(),
        members: await counters(proxy, '^cluster\\..*\\.membership_total'),
        questions: [...new Set(dns.questions)].sort(),
        answers: await answers(proxy, ['logical', 'extension-single', 'nobody', 'broken']),
      };
    },
  );

  const within = async (question: string, ms: number): Promise<number> => {
    dns.questions.length = 0;
    await sleep(ms);
    return dns.count(question);
  };
  for (const [title, more, range] of [
    ['the refresh rate', { dns_refresh_rate: '0.3s' }, [6, 12]],
    ['the TTL where it is respected', { respect_dns_ttl: true, dns_refresh_rate: '60s' }, [2, 4]],
    ['the TTL where it is not', { dns_refresh_rate: '60s' }, [0, 0]],
  ] as const) {
    compare(
      `asks again after ${title}`,
      () => bootstrap([named('c', 'one.test', more)]),
      async () => {
        const times = await within('A one.test', 3000);
        return { times: times >= range[0] && times <= range[1] ? range : times };
      },
    );
  }

  compare(
    'dns_min_refresh_rate holds a short TTL back',
    () => bootstrap([byExtension('c', 'one.test', { respect_dns_ttl: true, dns_min_refresh_rate: '2s' })]),
    async () => {
      const times = await within('A one.test', 3000);
      return times >= 1 && times <= 2 ? 'once in two seconds' : times;
    },
  );

  compare(
    'a failure is tried again with back-off, and keeps what was there',
    () =>
      bootstrap([
        named('c', 'flaky.test', {
          dns_refresh_rate: '0.2s',
          dns_failure_refresh_rate: { base_interval: '0.2s', max_interval: '0.4s' },
        }),
      ]),
    async (proxy) => {
      dns.records.set('flaky.test', ['127.0.0.1']);
      await sleep(1000);
      const before = await answers(proxy, ['c']);
      dns.records.set('flaky.test', 'fail');
      await sleep(600);
      const times = await within('A flaky.test', 3000);
      const during = await answers(proxy, ['c']);
      dns.records.delete('flaky.test');
      await sleep(1500);
      return {
        before,
        during, // c-ares asks several times for one resolution.
        times: times >= 6 ? 'often' : times,
        gone: await answers(proxy, ['c']),
      };
    },
  );
});

suite('Upstream: connection pools and original destinations', () => {
  const port = (): number => portOf(backends[0]!);
  const http2 = (): object => ({
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: {} },
        common_http_protocol_options: { max_connection_duration: '0.5s' },
      },
    },
  });
  /** Requests, so many on each of so many connections; `pauseMs` between them. */
  const onConnections = async (
    proxy: EnvoyProcess,
    name: string,
    connections: number,
    each: number,
    pauseMs = 0,
  ) => {
    for (let i = 0; i < connections; i++) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let j = 0; j < each; j++) {
        const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
        const { status } = await ask(url, { agent, headers: { 'x-cluster': name } });
        assert.equal(status, 200);
        await sleep(pauseMs);
      }
      agent.destroy();
    }
  };

  compare(
    'a pool for each downstream connection, and one for all',
    () =>
      bootstrap([
        cluster('shared', [{ lb_endpoints: [at(port())] }]),
        cluster('own', [{ lb_endpoints: [at(port())] }], { connection_pool_per_downstream_connection: true }),
      ]),
    async (proxy) => {
      await onConnections(proxy, 'shared', 3, 2);
      await onConnections(proxy, 'own', 3, 2);
      return counters(proxy, '^cluster\\.(shared|own)\\.upstream_(rq|cx)_(total|active)$');
    },
  );

  compare(
    'max_connection_duration',
    () => bootstrap([cluster('short', [{ lb_endpoints: [at(port())] }], http2())]),
    async (proxy) => {
      await onConnections(proxy, 'short', 1, 3, 800);
      return counters(proxy, '^cluster\\.short\\.upstream_cx_(total|max_duration_reached|destroy)$');
    },
  );

  compare(
    'a pool for each priority',
    () => bootstrap([cluster('c', [{ lb_endpoints: [at(port())] }])], { priority: 'HIGH' }),
    async (proxy) => {
      await onConnections(proxy, 'c', 2, 2);
      return counters(proxy, '^cluster\\.c\\.upstream_(rq|cx)_(total|active)$');
    },
  );

  compare(
    'original destination: header, metadata, port override',
    () => {
      const destination = (name: string, original_dst_lb_config: object): object => ({
        name,
        connect_timeout: '1s',
        type: 'ORIGINAL_DST',
        lb_policy: 'CLUSTER_PROVIDED',
        original_dst_lb_config,
      });
      return bootstrap([
        destination('header', { use_http_header: true }),
        destination('named', { use_http_header: true, http_header_name: 'x-to' }),
        destination('port', { use_http_header: true, upstream_port_override: port() }),
        destination('metadata', { metadata_key: { key: 'nobody', path: [{ key: 'sets' }, { key: 'it' }] } }),
        destination('nothing', {}),
      ]);
    },
    async (proxy) => {
      const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
      const all: string[] = [];
      for (const name of ['header', 'named', 'port', 'metadata', 'nothing']) {
        for (const to of [`127.0.0.1:${port()}`, '127.0.0.1:1', 'nonsense', '127.0.0.1', '127.0.0.1:99999']) {
          const headers = { 'x-cluster': name, 'x-envoy-original-dst-host': to, 'x-to': to };
          const { status, body } = await ask(url, { headers });
          all.push(`${name} ${to === `127.0.0.1:${port()}` ? 'there' : to}: ${status} ${body}`);
        }
      }
      const hosts = await (await fetch(`${proxy.admin}/clusters?filter=header|port`)).text();
      return {
        all,
        stats: await counters(proxy, '^cluster\\..*original_dst_host_invalid'),
        hosts: hosts.split('\n').sort(),
      };
    },
  );
});
