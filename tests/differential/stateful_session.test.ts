// Stateful session beside Envoy: which host a session is with, what the client is told, and what happens when the host is
// not there or not well, with every balancer.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type BalancedAnswer,
  type BalancedProxy,
  BalancedUpstreams,
  startBalancer,
} from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const HOSTS = 8;
const X = 'type.googleapis.com/envoy.extensions';

type Json = Readonly<Record<string, unknown>>;

const session = (state: Json, more: Json = {}): Json => ({
  '@type': `${X}.filters.http.stateful_session.v3.StatefulSession`,
  session_state: state,
  ...more,
});
const cookie = (more: Json = {}): Json => ({
  name: 'envoy.http.stateful_session.cookie',
  typed_config: {
    '@type': `${X}.http.stateful_session.cookie.v3.CookieBasedSessionState`,
    cookie: { name: 'sticky', ...more },
  },
});
const inHeader = (name: string): Json => ({
  name: 'envoy.http.stateful_session.header',
  typed_config: { '@type': `${X}.http.stateful_session.header.v3.HeaderBasedSessionState`, name },
});
const header = inHeader('x-session');
const envelope = (name: string): Json => ({
  name: 'envoy.http.stateful_session.envelope',
  typed_config: {
    '@type': `${X}.http.stateful_session.envelope.v3.EnvelopeSessionState`,
    header: { name },
  },
});
const PER_ROUTE = `${X}.filters.http.stateful_session.v3.StatefulSessionPerRoute`;
const perRoute = (config: Json): Json => {
  const { '@type': _, ...stateful_session } = config;
  return { session: { '@type': PER_ROUTE, stateful_session } };
};

const ROUTES: Readonly<Record<string, Json>> = {
  off: { session: { '@type': PER_ROUTE, disabled: true } },
  strict: perRoute(session(cookie(), { strict: true })),
  'strict, 410': perRoute(session(cookie(), { strict: true, status_on_strict_destination_not_found: 410 })),
  'not strict, 410': perRoute(session(cookie(), { status_on_strict_destination_not_found: 410 })),
  header: perRoute(session(header)),
  'strict header': perRoute(session(header, { strict: true })),
  envelope: perRoute(session(envelope('X-Envelope'))),
  'strict envelope': perRoute(session(envelope('X-Envelope'), { strict: true })),
  ttl: perRoute(session(cookie({ ttl: '3600s' }))),
  path: perRoute(session(cookie({ path: '/a' }))),
  'path with a slash': perRoute(session(cookie({ path: '/a/' }))),
  'root path': perRoute(session(cookie({ path: '/' }))),
  attributes: perRoute(
    session(
      cookie({ ttl: '60s', path: '/', attributes: [{ name: 'SameSite', value: 'Lax' }, { name: 'Secure' }] }),
    ),
  ),
  'no state': perRoute({ '@type': '' }),
};

const policy = (type: string, more: Json = {}): Json => ({
  policies: [
    {
      typed_extension_config: {
        name: 'p',
        typed_config: { '@type': `${X}.load_balancing_policies.${type}`, ...more },
      },
    },
  ],
});

function clusters(upstreams: BalancedUpstreams): Record<string, Json> {
  const all = Array.from({ length: HOSTS }, (_, i) => i);
  const endpoints = (...lists: readonly Json[][]): Json => ({
    load_assignment: {
      cluster_name: 'c',
      endpoints: lists.map((lb_endpoints, priority) => ({ priority, lb_endpoints })),
    },
  });
  const hosts = endpoints(
    all.map((i) => upstreams.endpoint(i, { metadata: { filter_metadata: { 'envoy.lb': { v: i % 2 } } } })),
  );
  const statuses = [
    'UNKNOWN',
    'HEALTHY',
    'UNHEALTHY',
    'DRAINING',
    'TIMEOUT',
    'DEGRADED',
    'HEALTHY',
    'HEALTHY',
  ];
  const ofHealth = endpoints(all.map((i) => upstreams.endpoint(i, { health_status: statuses[i] })));
  const allowed = (...list: readonly string[]): Json => ({
    common_lb_config: { override_host_status: { statuses: list } },
  });
  return {
    round_robin: hosts,
    least_request: { ...hosts, lb_policy: 'LEAST_REQUEST' },
    random: { ...hosts, lb_policy: 'RANDOM' },
    ring_hash: { ...hosts, lb_policy: 'RING_HASH' },
    maglev: { ...hosts, lb_policy: 'MAGLEV' },
    subsets: {
      ...hosts,
      lb_subset_config: { fallback_policy: 'NO_FALLBACK', subset_selectors: [{ keys: ['v'] }] },
    },
    policies: { ...hosts, load_balancing_policy: policy('random.v3.Random') },
    priorities: endpoints(
      [upstreams.endpoint(0), upstreams.endpoint(1)],
      [upstreams.endpoint(2), upstreams.endpoint(3)],
    ),
    of_health: ofHealth,
    only_healthy: { ...ofHealth, ...allowed('HEALTHY') },
    also_unhealthy: { ...ofHealth, ...allowed('UNHEALTHY', 'TIMEOUT') },
    also_draining: { ...ofHealth, ...allowed('DRAINING', 'DEGRADED') },
    none_allowed: { ...ofHealth, common_lb_config: { override_host_status: {} } },
  };
}

/** A session cookie as Envoy writes it: an envoy.Cookie of address and expiry. */
function sticky(address: string, expires?: number): string {
  const text = Buffer.from(address, 'latin1');
  const parts = [Buffer.from([0x0a, text.length]), text];
  if (expires !== undefined) {
    const bytes = [0x10];
    let rest = expires;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    parts.push(Buffer.from([...bytes, rest]));
  }
  return Buffer.concat(parts).toString('base64');
}

describe('stateful session', { skip: SKIP, concurrency: 1 }, () => {
  let upstreams: BalancedUpstreams;
  let proxies: BalancedProxy[] = [];

  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS);
    const setup = {
      clusters: clusters(upstreams),
      routes: {
        ...Object.fromEntries(Object.keys(ROUTES).map((name) => [name, {}])),
        retry: { retry_policy: { retry_on: '5xx', num_retries: 1 } },
      },
      filters: [
        { name: 'session', typed_config: session(cookie(), { stat_prefix: 'all' }) },
        { name: 'b', typed_config: session(inHeader('x-strict'), { strict: true, stat_prefix: 'strict' }) },
        { name: 'e', typed_config: session(envelope('x-wrapped'), { stat_prefix: 'envelope' }) },
        {
          name: 'c',
          typed_config: {
            '@type': `${X}.filters.http.stateful_session.v3.StatefulSession`,
            stat_prefix: 'none',
          },
        },
      ],
      perFilter: ROUTES,
    };
    proxies = [await startBalancer(setup), await startBalancer(setup, PILOTFISH)];
  });

  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await upstreams?.close();
  });

  const at = (host: number): string => `127.0.0.1:${upstreams.ports[host]}`;

  /** Enough that no balancer chooses the wanted host each time. */
  const REPEAT = 6;

  /** The same answers from both: all from the wanted host, or as the balancer chooses. */
  async function same(
    cluster: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    wanted = -1,
  ): Promise<string[]> {
    const outcomes = [];
    for (const proxy of proxies) {
      const answers: BalancedAnswer[] = [];
      for (let i = 0; i < REPEAT; i++) answers.push(await proxy.get(cluster, path, headers));
      outcomes.push(outcome(answers, wanted));
    }
    assert.deepEqual(outcomes[1], outcomes[0]);
    return outcomes.map(({ chosen }) => chosen);
  }

  function outcome(answers: readonly BalancedAnswer[], wanted: number) {
    const another = answers.find(({ host }) => Number(host) !== wanted);
    const { host, status, setCookie, headers } = another ?? answers[0];
    // What the client is told is about the host that answered.
    const told = setCookie.map((each) =>
      each.replace(sticky(at(Number(host))), '<host>').replace(/"[\w+/=]{20,}"/, '"<until>"'),
    );
    const inHeader = headers['x-session'] && Buffer.from(String(headers['x-session']), 'base64').toString();
    const chosen = another === undefined ? 'wanted' : host.startsWith('proxy') ? host : 'any';
    const own = String(headers['x-envelope']).replaceAll(
      Buffer.from(at(Number(host))).toString('base64'),
      '<host>',
    );
    const received = headers['x-echoed'];
    return {
      chosen,
      status,
      told,
      inHeader: inHeader?.replace(at(Number(host)), '<host>'),
      envelope: [own, received],
    };
  }

  const balancers = ['round_robin', 'least_request', 'random', 'ring_hash', 'maglev', 'subsets', 'policies'];
  for (const cluster of [...balancers, 'priorities']) {
    test(`cookie: the session's host with ${cluster}`, async () => {
      for (const host of [1, 2, 3]) {
        const chosen = await same(cluster, '/', { cookie: `sticky="${sticky(at(host))}"` }, host);
        assert.deepEqual(chosen, ['wanted', 'wanted']);
      }
    });
  }

  test('cookie: a request without a session is told its host, and comes back to it', async () => {
    for (const proxy of proxies) {
      const first = await proxy.get('round_robin', '/');
      const [value] = first.setCookie[0].split(';');
      assert.equal(value, `sticky="${sticky(at(Number(first.host)))}"`);
      for (let i = 0; i < 5; i++) {
        const next = await proxy.get('round_robin', '/', { cookie: value });
        assert.deepEqual([next.host, next.setCookie], [first.host, []]);
      }
    }
  });

  test('cookie: attributes, ttl and path of what the client is told', async () => {
    for (const route of ['ttl', 'path', 'path with a slash', 'root path', 'attributes', 'no state', 'off'])
      for (const path of ['/', '/a', '/ab', '/a/b', '/a?c', '/a/', '/A'])
        await same('round_robin', path, { 'x-route': route });
  });

  test("cookie: a path that is not the cookie's has no session", async () => {
    for (const route of ['path', 'path with a slash'])
      for (const path of ['/a', '/a/b', '/a?b', '/ab', '/b'])
        await same('random', path, { 'x-route': route, cookie: `sticky=${sticky(at(5))}` }, 5);
  });

  test('cookie: expiry', async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const expires of [1, now - 10, now + 100])
      await same('maglev', '/', { cookie: `sticky=${sticky(at(6), expires)}`, 'x-route': 'ttl' }, 6);
    for (const proxy of proxies) {
      const { host, setCookie } = await proxy.get('round_robin', '/', { 'x-route': 'ttl' });
      const later = [3600, 3601].map((more) =>
        sticky(at(Number(host)), Math.floor(Date.now() / 1000) + more - 1),
      );
      assert.ok(later.includes(setCookie[0].split('"')[1]), setCookie[0]);
    }
  });

  test('cookie: values that are none', async () => {
    const values = [
      'nonsense',
      '""',
      Buffer.from(at(4)).toString('base64'),
      Buffer.from('nowhere').toString('base64'),
      sticky('10.9.9.9:1'),
      sticky(''),
      sticky(at(4)).slice(0, -1),
      `${sticky(at(4))}=`,
      sticky(at(4)).replaceAll('=', ''),
    ];
    for (const value of values) await same('ring_hash', '/', { cookie: `a=b; sticky=${value}` }, 4);
  });

  test("header: the session's host, and what the client is told", async () => {
    const value = (host: number): string => Buffer.from(at(host)).toString('base64');
    for (const host of [0, 4, 7])
      await same('round_robin', '/', { 'x-route': 'header', 'x-session': value(host) }, host);
    await same('round_robin', '/', { 'x-route': 'header' });
    for (const named of ['nonsense', Buffer.from('1.1.1.1:1').toString('base64')])
      for (const route of ['header', 'strict header'])
        await same('round_robin', '/', { 'x-route': route, 'x-session': named });
  });

  test("envelope: the upstream's own session, with its host around it", async () => {
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const own: Readonly<Record<string, string | string[]>> = { one: 'own', two: ['own', 'other'], none: [] };
    for (const [name, value] of Object.entries(own))
      upstreams.loads.set(
        name,
        Array.from({ length: HOSTS }, () => ({ 'x-envelope': value })),
      );
    const named = [
      `${base64(at(3))};UV:${base64('own')}`,
      `${base64(at(3))};x;UV:${base64('own')};UV:${base64('second')}`,
      `;;${base64(at(3))};;UV:${base64('own')}`,
      `UV:${base64('own')};${base64(at(3))}`,
      base64(at(3)),
      `${base64(at(3))};UV:`,
      `${base64(at(3))};UV:nonsense!`,
      `nonsense!;UV:${base64('own')}`,
      `${base64('10.9.9.9:1')};UV:${base64('own')}`,
      'own',
      '',
    ];
    for (const load of Object.keys(own))
      for (const route of ['none', 'envelope', 'strict envelope'])
        for (const value of [undefined, ...named]) {
          const headers = {
            'x-route': route,
            'x-load': load,
            'x-echo': 'x-envelope',
            ...(value !== undefined && { 'x-envelope': value }),
          };
          await same('round_robin', '/', headers, 3);
        }
  });

  test('strict mode: a host that is not there', async () => {
    for (const route of ['strict', 'strict, 410', 'not strict, 410'])
      for (const address of ['10.9.9.9:1', at(2)])
        await same('round_robin', '/', { 'x-route': route, cookie: `sticky=${sticky(address)}` }, 2);
  });

  for (const cluster of ['of_health', 'only_healthy', 'also_unhealthy', 'also_draining', 'none_allowed']) {
    test(`host status rules: ${cluster}`, async () => {
      for (let host = 0; host < HOSTS; host++)
        for (const route of ['strict', 'strict, 410', 'not strict, 410'])
          await same(cluster, '/', { 'x-route': route, cookie: `sticky=${sticky(at(host))}` }, host);
    });
  }

  test('a retry goes where the balancer says', async () => {
    const headers = { cookie: `sticky=${sticky(at(3))}`, 'x-fail-hosts': '3', 'x-route': 'retry' };
    const chosen = await same('round_robin', '/', headers, 3);
    assert.deepEqual(chosen, ['any', 'any']);
  });

  test('stats', async () => {
    upstreams.loads.set(
      'wrapped',
      Array.from({ length: HOSTS }, () => ({ 'x-wrapped': 'own' })),
    );
    const before = await Promise.all(proxies.map((proxy) => proxy.allStats(/stateful_session/)));
    for (const [cluster, headers] of [
      ['round_robin', {}],
      ['round_robin', { cookie: `sticky=${sticky(at(2))}` }],
      ['round_robin', { cookie: `sticky=${sticky('10.9.9.9:1')}` }],
      ['round_robin', { 'x-route': 'strict', cookie: `sticky=${sticky('10.9.9.9:1')}` }],
      ['round_robin', { 'x-strict': Buffer.from('10.9.9.9:1').toString('base64') }],
      ['of_health', { 'x-strict': Buffer.from(at(3)).toString('base64') }],
      ['round_robin', { 'x-strict': Buffer.from(at(3)).toString('base64') }],
      ['unknown', { 'x-strict': Buffer.from(at(3)).toString('base64') }],
      [
        'round_robin',
        { 'x-wrapped': `${Buffer.from(at(3)).toString('base64')};UV:b3du`, 'x-load': 'wrapped' },
      ],
      ['round_robin', { 'x-wrapped': `${Buffer.from(at(3)).toString('base64')};UV:b3du` }],
      [
        'round_robin',
        { 'x-wrapped': `${Buffer.from('10.9.9.9:1').toString('base64')};UV:b3du`, 'x-load': 'one' },
      ],
      ['round_robin', { 'x-load': 'wrapped' }],
      ['round_robin', { 'x-route': 'off' }],
      ['round_robin', { 'x-route': 'no state' }],
      ['of_health', { 'x-route': 'strict', cookie: `sticky=${sticky(at(3))}` }],
    ] as const)
      await same(cluster, '/', headers);
    const all = await Promise.all(proxies.map((proxy) => proxy.allStats(/stateful_session/)));
    const [envoy, ours] = all.map((stats, i) =>
      Object.fromEntries(
        Object.entries(stats).map(([name, value]) => [name, value - (before[i][name] ?? 0)]),
      ),
    );
    assert.deepEqual(ours, envoy);
    assert.equal(Object.keys(envoy).length, 16);
    assert.equal(envoy['http.in.stateful_session.strict.routed'], REPEAT);
  });
});
