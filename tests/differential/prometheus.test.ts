// Prometheus' protobuf format, byte for byte as Envoy writes it: upstream connections of both have the same numbers of requests,
// which both have in histograms, in every mode and with several limits of native histograms.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SETTLE_MS = 600;
const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const PROTOBUF = 'application/vnd.google.protobuf';

/** Requests of each upstream connection by cluster. */
const CONNECTIONS: Readonly<Record<string, readonly number[]>> = {
  none: [],
  one: [1],
  few: [1, 2, 3, 5, 7],
  same: [3, 3, 3, 40],
  powers: [1, 2, 4, 8, 16, 32, 64],
  wide: [1, 2, 3, 5, 7, 10, 15, 100, 101, 110],
  dense: Array.from({ length: 21 }, (_, i) => 10 + i),
};

const MODES = ['', 'cumulative', 'summary', 'none', 'prometheusnative', 'detailed', 'disjoint', 'foo'];
const LIMITS = ['', '1', '2', '4', '10', '50', '1000', '0', '-1', 'x', '1.5', '+5', '99999999999999'];
const ACCEPTED = [
  PROTOBUF,
  `${PROTOBUF};q=0.3, text/plain;q=0.8`,
  `text/plain;q=0.1,${PROTOBUF};q=0.9`,
  `${PROTOBUF};proto=foo`,
  'APPLICATION/vnd.google.protobuf',
  `application/openmetrics-text;version=1.0.0;q=0.5,${PROTOBUF};q=0.6,*/*;q=0.1`,
  `foo/${PROTOBUF}`,
  'text/html',
  '*/*',
];

function bootstrap(port: number): object {
  const manager = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }],
        },
      ],
    },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } },
    ],
  };
  const address = (port_value: number): object => ({
    socket_address: { address: '127.0.0.1', port_value },
  });
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const clusters = Object.keys(CONNECTIONS).map((name) => ({
    name,
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  }));
  return {
    stats_flush_interval: '0.2s',
    static_resources: {
      listeners: [{ name: 'in', address: address(0), filter_chains: [{ filters }] }],
      clusters,
    },
  };
}

describe('Prometheus gets from Pilotfish what it gets from Envoy', { skip: SKIP }, () => {
  const upstream = http.createServer((request, response) => {
    if (request.headers['x-last'] === 'true') response.setHeader('connection', 'close');
    response.end();
  });
  const processes: EnvoyProcess[] = [];

  before(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    for (const command of [[ENVOY_BIN!], PILOTFISH]) {
      const process = await EnvoyProcess.start(bootstrap(port), command);
      processes.push(process);
      for (const [cluster, counts] of Object.entries(CONNECTIONS)) {
        for (const count of counts) {
          for (let left = count; left > 0; left--) await get(process.ports.get('in')!, cluster, left === 1);
        }
      }
    }
    await sleep(SETTLE_MS);
  });
  after(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    upstream.closeAllConnections();
    upstream.close();
  });

  function same(path: string, accept = PROTOBUF): void {
    test(`${path} for ${accept}`, async () => {
      const [theirs, ours] = await Promise.all(processes.map(({ admin }) => read(admin + path, accept)));
      assert.deepEqual(ours, theirs);
    });
  }

  for (const mode of MODES) same(`/stats/prometheus?filter=rq_per_cx&histogram_buckets=${mode}`);
  for (const limit of LIMITS) {
    const path = `/stats/prometheus?filter=rq_per_cx&native_histogram_max_buckets=${encodeURIComponent(limit)}`;
    same(`${path}&histogram_buckets=prometheusnative`);
  }
  for (const accept of ACCEPTED) same('/stats/prometheus?filter=upstream_rq_total', accept);
  same('/stats?format=prometheus&filter=upstream_rq_(total|per_cx)&usedonly');
  same('/stats/prometheus?filter=upstream_rq_(2|completed|200)&text_readouts');
  same('/stats?native_histogram_max_buckets=x', '*/*');
  same('/stats?native_histogram_max_buckets=x&histogram_buckets=foo', '*/*');
  same('/stats?native_histogram_max_buckets=x&type=foo', '*/*');
  same('/stats?native_histogram_max_buckets=x&filter=%5B', '*/*');
  same('/stats?type=foo&filter=%5B', '*/*');
  same('/stats?type=foo&hidden=foo', '*/*');
  same('/stats?type=foo&histogram_buckets=foo', '*/*');
  same('/stats?hidden=foo&histogram_buckets=foo', '*/*');
  same('/stats?hidden=foo&filter=%5B', '*/*');
});

function get(port: number, cluster: string, isLast: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-cluster': cluster, 'x-last': String(isLast) };
    const request = http.get({ host: '127.0.0.1', port, headers }, (response) => {
      response.resume().on('end', resolve);
    });
    request.on('error', reject);
  });
}

async function read(url: string, accept: string): Promise<object> {
  const response = await fetch(url, { headers: { accept } });
  const body = Buffer.from(await response.arrayBuffer()).toString('latin1');
  return { status: response.status, type: response.headers.get('content-type'), body };
}
