// Connections that are made before requests need them: how many each proxy has after each request, with hosts in turn.
// Which host is first is a matter of chance, so it is numbers that are compared.

import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { after, before, test } from 'node:test';
import { ask } from '../integration/proxy_process.ts';
import { httpFilter, listener, portOf, TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const HOSTS = 4;
const PROTOCOLS = ['http', 'http2'] as const;

/** PreconnectPolicy by the name of the case. */
const POLICIES: Readonly<Record<string, object>> = {
  none: {},
  'predictive 1': { predictive_preconnect_ratio: 1 },
  'predictive 1.5': { predictive_preconnect_ratio: 1.5 },
  'predictive 2': { predictive_preconnect_ratio: 2 },
  'predictive 3': { predictive_preconnect_ratio: 3 },
  'per upstream 3': { per_upstream_preconnect_ratio: 3 },
  'predictive 2, per upstream 2': { predictive_preconnect_ratio: 2, per_upstream_preconnect_ratio: 2 },
};
/** What else a cluster says. */
const MORE: Readonly<Record<string, object>> = {
  'predictive 3, two connections': {
    preconnect_policy: { predictive_preconnect_ratio: 3 },
    circuit_breakers: { thresholds: [{ max_connections: 2 }] },
  },
};

const servers: net.Server[] = [];
before(async () => {
  for (const protocol of PROTOCOLS)
    for (let i = 0; i < HOSTS; i++) {
      const answer = (_: unknown, response: { end(): void }): void => response.end();
      const server = protocol === 'http' ? http.createServer(answer) : http2.createServer(answer);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      servers.push(server);
    }
});
after(() => {
  for (const server of servers) server.close();
});

function cluster(protocol: (typeof PROTOCOLS)[number], more: object): object {
  const own = protocol === 'http' ? servers.slice(0, HOSTS) : servers.slice(HOSTS);
  const lb_endpoints = own.map((server) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: portOf(server) } } },
  }));
  return {
    name: 'c',
    connect_timeout: '5s',
    load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { [`${protocol}_protocol_options`]: {} },
      },
    },
    ...more,
  };
}

/** Connections that have been made after each of some requests, and after as many at once. */
async function connections(command: readonly string[], upstream: object): Promise<number[]> {
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'c' } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  const proxy = await EnvoyProcess.start(
    {
      static_resources: { clusters: [upstream], listeners: [listener('in', 0, [{ filters: [manager] }])] },
    },
    command,
  );
  const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
  const made = async (): Promise<number> => {
    const text = await (await fetch(`${proxy.admin}/stats?filter=^cluster.c.upstream_cx_total$`)).text();
    return Number(text.split(': ')[1]);
  };
  try {
    const all: number[] = [];
    for (let request = 0; request < HOSTS + 1; request++) {
      assert.equal((await ask(url)).status, 200);
      all.push(await made());
    }
    return all;
  } finally {
    await proxy.stop();
  }
}

for (const protocol of PROTOCOLS) {
  const cases = {
    ...Object.fromEntries(
      Object.entries(POLICIES).map(([name, preconnect_policy]) => [name, { preconnect_policy }]),
    ),
    ...MORE,
  };
  for (const [name, more] of Object.entries(cases))
    test(`${name}, over ${protocol}`, { skip, timeout: 60_000 }, async () => {
      const envoy = await connections([ENVOY_BIN!], cluster(protocol, more));
      assert.deepEqual(await connections(PILOTFISH, cluster(protocol, more)), envoy);
    });
}
