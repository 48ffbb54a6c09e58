// Which names a resolver asks for: search domains, /etc/hosts, names that mean this host, families.

import assert from 'node:assert/strict';
import os from 'node:os';
import { after, before, test } from 'node:test';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const FAMILIES = ['V4_ONLY', 'V6_ONLY', 'AUTO', 'ALL', 'V4_PREFERRED'];
const NAMES = [
  'short', // found with the search domain
  'both', // with and without
  'dotted.name', // not without
  'there.name', // without
  'here.', // not searched for
  'there.name.',
  'nobody',
  'localhost',
  'sub.localhost',
  'secret.onion',
  os.hostname(),
  `${os.hostname()}.`,
];

let dns: FakeDnsServer;
before(async () => {
  dns = await FakeDnsServer.start({
    'short.search.test': ['127.0.0.1'],
    both: ['127.0.0.2'],
    'both.search.test': ['127.0.0.3', '::3'],
    'dotted.name.search.test': ['127.0.0.4'],
    'there.name': ['127.0.0.5'],
    'there.name.search.test': ['127.0.0.6'],
    here: ['127.0.0.7', '::7'],
  });
});
after(() => dns.close());

/** Hosts that were found, and the questions that were asked for them. */
async function observe(
  command: readonly string[],
  cases: readonly { readonly name: string; readonly family: string }[],
  cares: object,
): Promise<object> {
  dns.questions.length = 0;
  const clusters = cases.map(({ name, family }) => ({
    name: `${name} ${family}`,
    connect_timeout: '1s',
    type: 'STRICT_DNS',
    dns_lookup_family: family,
    dns_refresh_rate: '1000s',
    typed_dns_resolver_config: dns.resolver(cares),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: name, port_value: 80 } } } }] },
      ],
    },
  }));
  const proxy = await EnvoyProcess.start({ static_resources: { clusters } }, command);
  try {
    const text = await (await fetch(`${proxy.admin}/clusters`)).text();
    const hosts = text.split('\n').filter((line) => line.includes('::cx_total::'));
    return { hosts: hosts.sort(), questions: [...new Set(dns.questions)].sort() };
  } finally {
    await proxy.stop();
  }
}

const all = NAMES.flatMap((name) => FAMILIES.map((family) => ({ name, family })));
const SEARCH = { dns_resolver_options: {} };

function compare(
  title: string,
  environment: Readonly<Record<string, string>>,
  cares: object,
  cases = all,
): void {
  test(title, { skip, timeout: 60_000 }, async () => {
    const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]));
    Object.assign(process.env, environment);
    try {
      const envoy = await observe([ENVOY_BIN!], cases, cares);
      assert.deepEqual(await observe(PILOTFISH, cases, cares), envoy);
    } finally {
      for (const [name, value] of Object.entries(before))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    }
  });
}

// c-ares takes these in place of what /etc/resolv.conf says.
const DOMAIN = { LOCALDOMAIN: 'search.test' };
compare('names are searched for in the domain of the system', DOMAIN, SEARCH);
compare('names with few dots are searched for first', { ...DOMAIN, RES_OPTIONS: 'ndots:2' }, SEARCH);
compare('no_default_search_domain', DOMAIN, { dns_resolver_options: { no_default_search_domain: true } });
compare('filter_unroutable_families', DOMAIN, { ...SEARCH, filter_unroutable_families: true });

test('use_tcp_for_dns_lookups', { skip, timeout: 60_000 }, async () => {
  const server = await FakeDnsServer.start({
    'a.test': ['127.0.0.1', '127.0.0.2', '::1', '2001:db8::1'],
    'broken.test': 'fail',
  });
  await server.listenOnTcp();
  const outcomes: object[] = [];
  const resolver = server.resolver({ dns_resolver_options: { use_tcp_for_dns_lookups: true } });
  const names = ['a.test', 'nobody.test', 'broken.test'];
  try {
    for (const command of [[ENVOY_BIN!], PILOTFISH]) {
      server.questions.length = 0;
      server.overTcp = 0;
      const clusters = names.map((name) => ({
        name,
        connect_timeout: '1s',
        type: 'STRICT_DNS',
        dns_lookup_family: 'ALL',
        dns_refresh_rate: '1000s',
        typed_dns_resolver_config: resolver,
        load_assignment: {
          cluster_name: name,
          endpoints: [
            {
              lb_endpoints: [
                { endpoint: { address: { socket_address: { address: name, port_value: 80 } } } },
              ],
            },
          ],
        },
      }));
      const proxy = await EnvoyProcess.start({ static_resources: { clusters } }, command);
      try {
        const text = await (await fetch(`${proxy.admin}/clusters`)).text();
        const hosts = text.split('\n').filter((line) => line.includes('::cx_total::'));
        const stats = await (
          await fetch(`${proxy.admin}/stats?filter=update_(success|failure|no_rebuild)`)
        ).text();
        outcomes.push({ hosts: hosts.sort(), questions: [...new Set(server.questions)].sort(), stats });
        assert.equal(server.overTcp, server.questions.length);
      } finally {
        await proxy.stop();
      }
    }
  } finally {
    server.close();
  }
  assert.deepEqual(outcomes[1], outcomes[0]);
});

test('rotate_nameservers: each of the servers is asked', { skip, timeout: 60_000 }, async () => {
  const others = await Promise.all([0, 1].map(() => FakeDnsServer.start({ one: ['127.0.0.1'] })));
  const ports = others.map(({ port }) => port);
  const resolvers = ports.map((port_value) => ({ socket_address: { address: '127.0.0.1', port_value } }));
  const cases = Array.from({ length: 40 }, (_, i) => ({ name: `one`, family: 'V4_ONLY', i }));
  try {
    for (const rotate_nameservers of [false, true])
      for (const command of [[ENVOY_BIN!], PILOTFISH]) {
        for (const { questions } of others) questions.length = 0;
        const clusters = cases.map(({ name, family, i }) => ({
          name: `${name} ${i}`,
          connect_timeout: '1s',
          type: 'STRICT_DNS',
          dns_lookup_family: family,
          dns_refresh_rate: '1000s',
          typed_dns_resolver_config: dns.resolver({ resolvers, rotate_nameservers }),
          load_assignment: {
            cluster_name: name,
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: name, port_value: 80 } } } },
                ],
              },
            ],
          },
        }));
        const proxy = await EnvoyProcess.start({ static_resources: { clusters } }, command);
        await proxy.stop();
        const asked = others.map(({ questions }) => questions.length > 0);
        assert.deepEqual(asked, [true, rotate_nameservers], `${command[0]} ${String(rotate_nameservers)}`);
      }
  } finally {
    for (const server of others) server.close();
  }
});
