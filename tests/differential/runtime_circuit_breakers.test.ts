// Limits of circuit breakers that the runtime overrides, in Envoy and in Pilotfish: as the layers say at the start, and as they are
// changed on the admin port while both run. What /clusters shows, what is refused, and stats of what is left are compared.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpFilter, listener, portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const REQUESTS = 4;
const STATS = '^cluster.(c|shown).*(circuit_breakers.*remaining|overflow|upstream_rq_retry:)';
/** Rounded here: it is more than a number can tell. */
const POOLS = /remaining_cx_pools/;

/** Requests that the upstream has not answered. */
const held = new Set<http.ServerResponse>();
let upstream: http.Server;
before(async () => {
  upstream = http.createServer((request, response) => {
    if (request.url === '/fails') response.writeHead(500).end();
    else if (request.url === '/held') held.add(response);
    else response.end();
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
});
after(() => upstream.close().closeAllConnections());

function cluster(name: string, thresholds: readonly object[], more: object = {}): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: portOf(upstream) } };
  return {
    name,
    connect_timeout: '5s',
    circuit_breakers: { thresholds },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...more,
  };
}

function bootstrap(layer: object): object {
  const retry_policy = {
    retry_on: '5xx',
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
  };
  const routes = [
    { match: { prefix: '/high' }, route: { cluster: 'c', priority: 'HIGH' } },
    { match: { prefix: '/shown' }, route: { cluster: 'named' } },
    { match: { prefix: '/' }, route: { cluster: 'c', retry_policy } },
  ];
  const route_config = { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
  const manager = httpFilter('', { rds: undefined, route_config });
  const limits = [{ max_requests: 100, track_remaining: true }];
  return {
    stats_flush_interval: '0.1s',
    layered_runtime: {
      layers: [
        { name: 'static', static_layer: layer },
        { name: 'admin', admin_layer: {} },
      ],
    },
    static_resources: {
      clusters: [
        cluster('c', limits),
        cluster('named', limits, { alt_stat_name: 'shown' }),
        cluster('budget', [{ retry_budget: { min_retry_concurrency: 6 } }]),
      ],
      listeners: [listener('in', 0, [{ filters: [manager] }])],
    },
  };
}

function status(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      })
      .on('error', reject);
  });
}

const get = async (url: string): Promise<string> => await (await fetch(url)).text();

class Observed {
  readonly #proxy: EnvoyProcess;
  readonly #url: string;

  constructor(proxy: EnvoyProcess) {
    this.#proxy = proxy;
    this.#url = `http://127.0.0.1:${proxy.ports.get('in')}`;
  }

  /** What /clusters says of limits. */
  async limits(): Promise<string[]> {
    const text = await get(`${this.#proxy.admin}/clusters`);
    return text.split('\n').filter((line) => line.includes('_priority::')).sort();
  } // biome-ignore format: short

  async stats(): Promise<string[]> {
    const text = await get(`${this.#proxy.admin}/stats?filter=${encodeURIComponent(STATS)}`);
    return text.split('\n').filter((line) => line !== '' && !POOLS.test(line));
  }

  async modify(changes: Readonly<Record<string, string>>): Promise<void> {
    const query = new URLSearchParams(changes);
    const response = await fetch(`${this.#proxy.admin}/runtime_modify?${query}`, { method: 'POST' });
    assert.equal(response.status, 200);
    // Workers apply it in their own time: what follows must not come before.
    await sleep(300);
  }

  status(path: string): Promise<number | undefined> {
    return status(this.#url + path);
  }

  /** How many of so many requests at once are passed on: the others are refused. */
  async passedOn(path: string): Promise<number> {
    const answers = Array.from({ length: REQUESTS }, () => this.status(path));
    let refused = 0;
    for (const answer of answers) answer.then((code) => code === 503 && refused++);
    for (let tries = 0; held.size + refused < REQUESTS; tries++) {
      assert.ok(tries < 200, `${held.size} passed on, ${refused} refused`);
      await sleep(50);
    }
    const passed = held.size;
    for (const response of held) response.end();
    held.clear();
    await Promise.all(answers);
    return passed;
  }

  /** The retries of one request that always fails. */
  async retries(): Promise<number> {
    const before = await this.#retries();
    assert.equal(await this.status('/fails'), 500);
    return (await this.#retries()) - before;
  }

  async #retries(): Promise<number> {
    return Number((await get(`${this.#proxy.admin}/stats?filter=^cluster.c.upstream_rq_retry$`)).split(': ')[1]);
  } // biome-ignore format: short
}

/** The same done with both proxies, and the same seen. */
async function compare(layer: object, observe: (proxy: Observed) => Promise<unknown>): Promise<void> {
  const seen: unknown[] = [];
  for (const command of [[ENVOY_BIN!], PILOTFISH]) {
    const proxy = await EnvoyProcess.start(bootstrap(layer), command);
    try {
      seen.push(await observe(new Observed(proxy)));
    } finally {
      await proxy.stop();
    }
  }
  assert.deepEqual(seen[1], seen[0]);
}

const LIMITS: Readonly<Record<string, object>> = {
  'no overrides': {},
  'all limits': {
    circuit_breakers: {
      c: { default: { max_connections: 7, max_pending_requests: 8, max_requests: 9, max_retries: 10 } },
    },
  },
  'flat keys, of one priority': { 'circuit_breakers.c.high.max_requests': 3 },
  'the name of a cluster, not that of its stats': {
    circuit_breakers: { named: { default: { max_requests: 5 } }, shown: { default: { max_requests: 6 } } },
  },
  'zero, and what is no number': {
    circuit_breakers: { c: { default: { max_requests: 0, max_retries: 'few', max_connections: -1 } } },
  },
  'a retry budget': { circuit_breakers: { c: { default: { retry_budget: { min_retry_concurrency: 5 } } } } },
  'the percents of a retry budget': {
    circuit_breakers: { budget: { default: { retry_budget: { budget_percent: 1 } } } },
  },
  'the least of a retry budget': {
    circuit_breakers: { budget: { default: { retry_budget: { min_retry_concurrency: 9 } } } },
  },
};
for (const [name, layer] of Object.entries(LIMITS))
  test(`${name}: what /clusters shows`, { skip }, () => compare(layer, (proxy) => proxy.limits()));

test('limits of requests and of connections, as runtime changes', { skip }, () =>
  compare({ circuit_breakers: { c: { default: { max_requests: 2 } } } }, async (proxy) => {
    const seen: unknown[] = [await proxy.passedOn('/held')];
    await proxy.modify({ 'circuit_breakers.c.default.max_requests': '3' });
    seen.push(await proxy.passedOn('/held'), await proxy.limits());
    await proxy.modify({
      'circuit_breakers.c.default.max_requests': '',
      'circuit_breakers.c.default.max_connections': '1',
      'circuit_breakers.c.default.max_pending_requests': '0',
    });
    seen.push(await proxy.status('/'), await proxy.limits());
    await proxy.modify({
      'circuit_breakers.c.default.max_connections': '',
      'circuit_breakers.c.default.max_pending_requests': '',
    });
    seen.push(await proxy.passedOn('/held'), await proxy.limits(), await proxy.stats());
    return seen;
  }),
);

test('limits of a cluster that has had no request yet', { skip }, () =>
  compare({}, async (proxy) => {
    await proxy.modify({ 'circuit_breakers.named.default.max_requests': '0' });
    const refused = await proxy.status('/shown');
    await proxy.modify({ 'circuit_breakers.named.default.max_requests': '' });
    return [refused, await proxy.status('/shown'), await proxy.stats()];
  }),
);

test('retries and a retry budget, as runtime changes', { skip }, () =>
  compare({ circuit_breakers: { c: { default: { max_retries: 0 } } } }, async (proxy) => {
    const budget = 'circuit_breakers.c.default.retry_budget';
    const seen: unknown[] = [await proxy.retries()];
    await proxy.modify({ 'circuit_breakers.c.default.max_retries': '2' });
    seen.push(await proxy.retries());
    await proxy.modify({ [`${budget}.budget_percent`]: '0', [`${budget}.min_retry_concurrency`]: '0' });
    seen.push(await proxy.retries(), await proxy.limits());
    await proxy.modify({ [`${budget}.budget_percent`]: '100' });
    seen.push(await proxy.retries(), await proxy.limits(), await proxy.stats());
    return seen;
  }),
);

test('the high priority has limits of its own', { skip }, () =>
  compare({}, async (proxy) => {
    await proxy.modify({ 'circuit_breakers.c.high.max_requests': '0' });
    return [await proxy.status('/high'), await proxy.status('/'), await proxy.limits()];
  }),
);
