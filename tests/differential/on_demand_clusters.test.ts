// Clusters on demand (ODCDS, the on_demand filter) in Envoy and Pilotfish, of one control plane each that says the same: what requests
// get, how long they wait, and the stats.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane } from '../integration/control_plane.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { HTTP2 } from './proxy_scenario.ts';
import { statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const TYPE = 'type.googleapis.com/envoy.extensions.filters.';
const ADS = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
/** What a request waits for a cluster that nobody says anything about. */
const SHORT_MS = 400;
/** Those that are answered wait less. */
const ANSWERED_MS = 300;

const odcds = (timeout: string): object => ({ odcds: { source: ADS, timeout } });
const perRoute = (more: object = {}): object => ({
  typed_per_filter_config: { on_demand: { '@type': `${TYPE}http.on_demand.v3.PerRouteConfig`, ...more } },
});
const to = { cluster_header: 'x-to' };
const ROUTES = [
  { match: { prefix: '/short' }, route: to, ...perRoute(odcds(`${SHORT_MS / 1000}s`)) },
  { match: { prefix: '/off' }, route: to, ...perRoute() },
  { match: { prefix: '/direct' }, direct_response: { status: 200 } },
  { match: { prefix: '/fixed' }, route: { cluster: 'fixed', cluster_not_found_response_code: 'NOT_FOUND' } },
  { match: { prefix: '/none' }, route: { cluster: 'none', cluster_not_found_response_code: 'NOT_FOUND' } },
  { match: { prefix: '/' }, route: to },
];

function listener(): object {
  const typed_config = {
    '@type': `${TYPE}network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'x',
    route_config: {
      validate_clusters: false,
      virtual_hosts: [{ name: 'v', domains: ['here'], routes: ROUTES }],
    },
    http_filters: [
      {
        name: 'on_demand',
        typed_config: { '@type': `${TYPE}http.on_demand.v3.OnDemand`, ...odcds('20s') },
      },
      { name: 'router', typed_config: { '@type': `${TYPE}http.router.v3.Router` } },
    ],
  };
  return {
    name: 'l',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'http', typed_config }] }],
  };
}

interface Asked {
  readonly path?: string;
  readonly cluster?: string;
  readonly body?: string;
  readonly host?: string;
}

class Side {
  readonly plane: ControlPlane;
  readonly process: EnvoyProcess;

  private constructor(plane: ControlPlane, process: EnvoyProcess) {
    this.plane = plane;
    this.process = process;
  }

  static async start(command: readonly string[]): Promise<Side> {
    const plane = await ControlPlane.start();
    const bootstrap = plane.bootstrap() as {
      static_resources: { clusters: readonly object[] };
      dynamic_resources: { ads_config: object };
    };
    const clusters = bootstrap.static_resources.clusters.map((cluster) => ({ ...cluster, ...HTTP2 }));
    const { ads_config } = bootstrap.dynamic_resources;
    const static_resources = { clusters, listeners: [listener()] };
    try {
      const all = { ...bootstrap, static_resources, dynamic_resources: { ads_config } };
      return new Side(plane, await EnvoyProcess.start(all, command));
    } catch (error) {
      plane.close();
      throw error;
    }
  }

  /** Status, body, and whether it took long. */
  async ask({ path = '/', cluster, body, host = 'here' }: Asked): Promise<string> {
    const headers = { host, ...(cluster !== undefined && { 'x-to': cluster }) };
    const port = this.process.ports.get('l')!;
    const method = body === undefined ? 'GET' : 'POST';
    const started = performance.now();
    return await new Promise((resolve, reject) => {
      const request = http.request(
        { port, host: '127.0.0.1', path, headers, method, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part) => (text += part));
          answer.on('end', () => {
            const speed = performance.now() - started < ANSWERED_MS ? 'at once' : 'late';
            resolve(`${answer.statusCode} ${text} ${speed}`);
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.plane.close();
  }
}

describe('clusters on demand (ODCDS)', { skip: SKIP }, () => {
  const sides: Side[] = [];
  let upstream: http.Server;

  async function compare<T>(ask: (side: Side) => Promise<T>): Promise<T> {
    const [theirs, ours] = await Promise.all(sides.map(ask));
    assert.deepEqual(ours, theirs);
    return ours;
  }
  function cluster(name: string): object {
    const { port } = upstream.address() as AddressInfo;
    const address = { socket_address: { address: '127.0.0.1', port_value: port } };
    return {
      name,
      connect_timeout: '1s',
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    };
  }
  const hold = (name: string): void => {
    for (const { plane } of sides) plane.hold('cluster', name, cluster(name));
  };

  before(async () => {
    upstream = http.createServer((request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => response.end(`${request.method} ${request.url} ${body}`));
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    for (const command of [[ENVOY_BIN!], PILOTFISH]) sides.push(await Side.start(command));
    for (const name of ['one', 'two', 'fixed']) hold(name);
  });
  after(async () => {
    await Promise.all(sides.map((side) => side.stop()));
    upstream.close().closeAllConnections();
  });

  test('a cluster that comes, and is there from then on', async () => {
    assert.equal(await compare((side) => side.ask({ cluster: 'one' })), '200 GET /  at once');
    assert.equal(
      await compare((side) => side.ask({ cluster: 'one', path: '/again' })),
      '200 GET /again  at once',
    );
    assert.equal(await compare((side) => side.ask({ path: '/fixed' })), '200 GET /fixed  at once');
  });

  test('a body waits, too', async () => {
    const body = 'x'.repeat(100_000);
    assert.equal(await compare((side) => side.ask({ cluster: 'two', body })), `200 POST / ${body} at once`);
  });

  test('requests that lead to no cluster, to no route or to none that is asked for', async () => {
    for (const one of [{}, { cluster: '' }, { host: 'elsewhere' }, { path: '/direct' }])
      await compare((side) => side.ask(one));
    assert.equal(await compare((side) => side.ask({ path: '/off', cluster: 'three' })), '503  at once');
  });

  test('a cluster that nobody says anything about times out', async () => {
    assert.equal(await compare((side) => side.ask({ path: '/short', cluster: 'late' })), '503  late');
  });

  test('a cluster that comes while requests wait', async () => {
    const asked = sides.map((side) =>
      Promise.all([side.ask({ cluster: 'slow' }), side.ask({ cluster: 'slow', path: '/b' })]),
    );
    await sleep(500);
    await Promise.all(sides.map(({ plane }) => plane.set('cluster', { slow: cluster('slow') })));
    const [theirs, ours] = await Promise.all(asked);
    assert.deepEqual(ours, theirs);
    assert.deepEqual(ours, ['200 GET /  late', '200 GET /b  late']);
  });

  test('a cluster that is said not to exist, and does later', async () => {
    for (const path of ['/', '/none']) {
      const asked = sides.map((side) => side.ask({ path, cluster: 'none' }));
      await sleep(100);
      await Promise.all(sides.map(({ plane }) => plane.remove('cluster', 'none')));
      const [theirs, ours] = await Promise.all(asked);
      assert.equal(ours, theirs);
      assert.equal(ours, path === '/' ? '503  at once' : '404  at once');
    }
    await Promise.all(sides.map(({ plane }) => plane.set('cluster', { none: cluster('none') })));
    assert.equal(await compare((side) => side.ask({ cluster: 'none' })), '200 GET /  at once');
  });

  test('a client that goes while it waits', async () => {
    for (const { process } of sides) {
      const request = http.get({
        port: process.ports.get('l')!,
        host: '127.0.0.1',
        headers: { host: 'here', 'x-to': 'gone' },
      });
      request.on('error', () => undefined);
      await sleep(100);
      request.destroy();
    }
    await Promise.all(sides.map(({ plane }) => plane.set('cluster', { gone: cluster('gone') })));
    assert.equal(await compare((side) => side.ask({ cluster: 'gone' })), '200 GET /  at once');
  });

  test('stats and the dump of clusters', async () => {
    await sleep(100);
    const stats = await compare(async ({ process }) =>
      [...(await statsOf(process))]
        .filter(([name]) => /^cluster_manager\.(odcds|cluster_|active|warming)|^http\.x\.(rq|no_)/.test(name))
        // Envoy asks nothing before the first request; counted is that it was asked for nothing, too.
        .filter(([name]) => !/_time$|duration|version|update_attempt|update_success/.test(name))
        .map(([name, value]) => `${name}: ${value}`)
        .sort(),
    );
    assert.ok(stats.includes('cluster_manager.odcds.update_rejected: 0'), stats.join('\n'));
    await compare(async ({ process }) => {
      const text = await (
        await fetch(`${process.admin}/config_dump?resource=dynamic_active_clusters`)
      ).text();
      return [...text.matchAll(/"name": "(\w+)"/g)].map(([, name]) => name).sort();
    });
  });
});
