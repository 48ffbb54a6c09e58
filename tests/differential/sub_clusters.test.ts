// dynamic_forward_proxy clusters with `sub_clusters_config`: a cluster for each host and port that requests name, made when the first
// of them comes. Answers, access logs, /clusters and stats of Envoy and Pilotfish are compared.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { httpFilter, listener, portOf, TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { type Ask, ask, countedStats, loggedLines, startBackend, stdoutLog } from './forward_proxy.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const LOG =
  'LOG %REQ(:METHOD)% %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST%';
const STATS =
  '^cluster.*(upstream_rq_|upstream_cx_total|none_healthy|membership_)|^cluster_manager.(cluster_|active)';

let backend: http.Server;
let dns: FakeDnsServer;
before(async () => {
  backend = await startBackend('0.0.0.0');
  dns = await FakeDnsServer.start({
    'a.test': ['127.0.0.1'],
    'b.test': ['127.0.0.1'],
    'two.test': ['127.0.0.1', '127.0.0.2'],
    'broken.test': 'fail',
    'silent.test': 'silent',
  });
});
after(() => {
  backend.close().closeAllConnections();
  dns.close();
});

interface Case {
  readonly subClusters?: object;
  readonly cluster?: object;
  /** Of the filter; undefined: no filter at all. */
  readonly filter?: object | undefined;
  readonly perRoute?: object;
}

function bootstrap({ subClusters, cluster, filter, perRoute }: Case): object {
  const typed_config = {
    '@type': `${TYPE}extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`,
    sub_clusters_config: { ...subClusters },
  };
  const name = 'envoy.filters.http.dynamic_forward_proxy';
  const filterType = `${TYPE}extensions.filters.http.dynamic_forward_proxy.v3`;
  const routes = [
    {
      match: { prefix: '/' },
      route: { cluster: 'd' },
      ...(perRoute && {
        typed_per_filter_config: { [name]: { '@type': `${filterType}.PerRouteConfig`, ...perRoute } },
      }),
    },
  ];
  const access_log = [stdoutLog(LOG)];
  const route_config = { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
  const router = {
    name: 'router',
    typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
  };
  const own = { name, typed_config: { '@type': `${filterType}.FilterConfig`, ...filter } };
  const http_filters = filter === undefined ? [router] : [own, router];
  const manager = httpFilter('', { rds: undefined, route_config, access_log, http_filters });
  return {
    stats_flush_interval: '0.1s',
    static_resources: {
      clusters: [
        {
          name: 'd',
          connect_timeout: '2s',
          lb_policy: 'CLUSTER_PROVIDED',
          dns_lookup_family: 'V4_ONLY',
          typed_dns_resolver_config: dns.resolver({ query_timeout_seconds: 1, query_tries: 1 }),
          cluster_type: { name: 'envoy.clusters.dynamic_forward_proxy', typed_config },
          ...cluster,
        },
      ],
      listeners: [listener('in', 0, [{ filters: [manager] }])],
    },
  };
}

const get = async (url: string): Promise<string> => await (await fetch(url)).text();

class Observed {
  readonly proxy: EnvoyProcess;

  constructor(proxy: EnvoyProcess) {
    this.proxy = proxy;
  }

  ask(one: Ask): Promise<string> {
    return ask(this.proxy.ports.get('in')!, one);
  }

  /** Lines of /clusters, without numbers of connections to hosts that are chosen by chance. */
  async clusters(): Promise<string[]> {
    const text = await get(`${this.proxy.admin}/clusters`);
    const lines = text.split('\n').filter((line) => line.startsWith('DFPCluster'));
    return lines.filter((line) => !/::(cx|rq)_\w+::/.test(line)).sort();
  }

  async names(): Promise<string[]> {
    return [...new Set((await this.clusters()).map((line) => line.split('::')[0] as string))];
  }

  /** Until there are so many sub clusters. */
  async untilNames(count: number): Promise<void> {
    for (let tries = 0; (await this.names()).length !== count; tries++) {
      assert.ok(tries < 150, `${await this.names()}`);
      await sleep(100);
    }
  }

  async seen(requests: number): Promise<object> {
    const logs = await loggedLines(this.proxy, requests);
    const counted = await countedStats(this.proxy, STATS);
    // Which of two addresses is the first is a matter of chance.
    const lines = logs.map((line) => line.replace('127.0.0.2', '127.0.0.1')).sort();
    return { logs: lines, clusters: await this.clusters(), counted };
  }
}

async function compare(config: Case, observe: (proxy: Observed) => Promise<unknown>): Promise<void> {
  const seen: unknown[] = [];
  for (const command of [[ENVOY_BIN!], PILOTFISH]) {
    const proxy = await EnvoyProcess.start(bootstrap(config), command);
    try {
      seen.push(await observe(new Observed(proxy)));
    } finally {
      await proxy.stop();
    }
  }
  assert.deepEqual(seen[1], seen[0]);
}

/** Requests: those of a list at once, lists one after the other. */
function compareAsks(title: string, config: Case, asks: () => readonly (readonly Ask[])[]): void {
  test(title, { skip, timeout: 60_000 }, () =>
    compare(config, async (proxy) => {
      const answers: string[] = [];
      for (const together of asks()) answers.push(...(await Promise.all(together.map((one) => proxy.ask(one)))));
      return { answers, seen: await proxy.seen(answers.length) };
    }),
  ); // biome-ignore format: short
}

const FILTER = { sub_cluster_config: {} };
const here = (name: string): Ask => ({ host: `${name}:${portOf(backend)}` });

compareAsks('a cluster for each host', { filter: FILTER }, () => [
  [here('a.test')],
  [here('a.test'), here('b.test')],
  [here('b.test')],
  [here('127.0.0.1')],
  [here('two.test')],
]);
compareAsks('hosts that are not there', { filter: FILTER }, () => [
  [here('broken.test')],
  [here('broken.test')],
  [here('nobody.test')],
  [{ host: 'a.test:1' }],
]);
compareAsks('a body waits with its request', { filter: FILTER }, () => [
  [{ ...here('a.test'), body: 'x'.repeat(200_000) }],
]);
compareAsks('more than there may be', { filter: FILTER, subClusters: { max_sub_clusters: 1 } }, () => [
  [here('a.test')],
  [here('b.test')],
  [here('b.test')],
  [here('a.test')],
]);
compareAsks(
  'a host that no answer comes for',
  { filter: { sub_cluster_config: { cluster_init_timeout: '0.3s' } } },
  () => [[here('silent.test')], [here('a.test')]],
);
compareAsks('without the filter', { filter: undefined }, () => [[here('a.test')]]);
compareAsks(
  'a filter with a DNS cache of its own',
  { filter: { dns_cache_config: { name: 'c', dns_lookup_family: 'V4_ONLY' } } },
  () => [[here('a.test')]],
);
compareAsks(
  'a host that the route names',
  { filter: FILTER, perRoute: { host_rewrite_header: 'x-to' } },
  () => [[here('a.test')]],
);
compareAsks(
  'what a sub cluster has of its parent',
  {
    filter: FILTER,
    subClusters: { lb_policy: 'RANDOM' },
    cluster: {
      alt_stat_name: 'alt',
      upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      circuit_breakers: { thresholds: [{ max_requests: 7 }] },
    },
  },
  () => [[here('a.test')]],
);
test('goes when nobody has used it for a while', { skip, timeout: 60_000 }, () =>
  compare({ filter: FILTER, subClusters: { sub_cluster_ttl: '1s' } }, async (proxy) => {
    const seen = [await proxy.ask(here('a.test')), await proxy.names()];
    await proxy.untilNames(0);
    seen.push(await proxy.ask(here('b.test')), await proxy.names(), await proxy.ask(here('a.test')));
    return seen;
  }),
);
