// How long retries wait: drawn at random, so that the mean of many is compared, of each retry by itself.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { staticCluster } from '../integration/control_plane.ts';
import { ask } from '../integration/proxy_process.ts';
import { httpFilter, listener, portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const REQUESTS = 64;
/** At a time, so that none waits for a connection. */
const PARALLEL = 8;
const RETRIES = 4;
const BASE_MS = 100;
const MAX_MS = 500;
/** Standard deviations of a mean of so many; a busy machine makes all waits longer. */
const DEVIATIONS = 5;
const SLACK_MS = 30;

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';

describe('back-off of retries', { skip }, () => {
  /** By request id: when its attempts came, ms. */
  const arrivals = new Map<string, number[]>();
  const upstream = http.createServer((request, response) => {
    const id = String(request.headers['x-id']);
    arrivals.set(id, [...(arrivals.get(id) ?? []), performance.now()]);
    response.writeHead(503).end();
  });
  const proxies: EnvoyProcess[] = [];

  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const seconds = (ms: number): string => `${ms / 1000}s`;
    const retry_policy = {
      retry_on: '5xx',
      num_retries: RETRIES,
      retry_back_off: { base_interval: seconds(BASE_MS), max_interval: seconds(MAX_MS) },
    };
    const route = { match: { prefix: '/' }, route: { cluster: 'c', timeout: '30s', retry_policy } };
    const route_config = { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [route] }] };
    const thresholds = [{ max_retries: REQUESTS, max_requests: REQUESTS }];
    const bootstrap = {
      static_resources: {
        clusters: [{ ...staticCluster('c', portOf(upstream)), circuit_breakers: { thresholds } }],
        listeners: [listener('in', 0, [{ filters: [httpFilter('', { rds: undefined, route_config })] }])],
      },
    };
    for (const command of [[ENVOY_BIN!], PILOTFISH])
      proxies.push(await EnvoyProcess.start(bootstrap, command));
  });
  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    upstream.close().closeAllConnections();
  });

  /** ms before each retry, of all requests. */
  async function waits(proxy: EnvoyProcess, name: string): Promise<number[][]> {
    const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
    const ids = Array.from({ length: REQUESTS }, (_, i) => `${name}${i}`);
    for (let i = 0; i < REQUESTS; i += PARALLEL) {
      await Promise.all(ids.slice(i, i + PARALLEL).map((id) => ask(url, { headers: { 'x-id': id } })));
    }
    return Array.from({ length: RETRIES }, (_, n) =>
      ids.map((id) => arrivals.get(id)![n + 1] - arrivals.get(id)![n]),
    );
  }

  test('each retry waits longer, up to the maximum, with jitter', async () => {
    const [theirs, ours] = await Promise.all([waits(proxies[0], 'envoy'), waits(proxies[1], 'pilotfish')]);
    for (let n = 0; n < RETRIES; n++) {
      const [a, b] = [meanOf(ours[n]), meanOf(theirs[n])];
      const error = Math.sqrt((varianceOf(ours[n]) + varianceOf(theirs[n])) / REQUESTS);
      const report = `retry ${n + 1}: ${a.toFixed(0)} ms, Envoy ${b.toFixed(0)} ms`;
      assert.ok(Math.abs(a - b) <= DEVIATIONS * error + SLACK_MS, report);
      // Jitter begins at nothing.
      assert.ok(Math.min(...ours[n]) < a / 2, report);
    }
  });
});

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return meanOf(values.map((value) => (value - mean) ** 2));
}
