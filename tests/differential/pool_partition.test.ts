// Which requests may share a connection to a host: what filters say of its handshake, and what they share with it, keeps
// them apart. Both proxies make the same requests, and as many connections.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { Agent } from 'node:http';
import https from 'node:https';
import { after, before, test } from 'node:test';
import { pem } from '../fakes/tls.ts';
import { ask } from '../integration/proxy_process.ts';
import { httpFilter, listener, namedBackend, portOf, TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';

/** What a connection of a client leaves in its filter state, by the name of the case. */
const OBJECTS: Readonly<Record<string, object>> = {
  'server-name': { object_key: 'envoy.network.upstream_server_name' },
  protocols: { object_key: 'envoy.network.application_protocols' },
  names: { object_key: 'envoy.network.upstream_subject_alt_names' },
  'string-of-its-own': { object_key: 'x', factory_key: 'envoy.string' },
  'shared-string': { object_key: 'x', factory_key: 'envoy.string', shared_with_upstream: 'ONCE' },
  'hashable-of-its-own': { object_key: 'x', factory_key: 'envoy.hashable_string' },
  'hashable-once': { object_key: 'x', factory_key: 'envoy.hashable_string', shared_with_upstream: 'ONCE' },
  'hashable-transitive': {
    object_key: 'x',
    factory_key: 'envoy.hashable_string',
    shared_with_upstream: 'TRANSITIVE',
  },
};
/** Connections of clients with these, one after the other. */
const VALUES = ['a.test', 'b.test', 'a.test', 'A.test', ''];
const UPSTREAMS = ['plain', 'tls'] as const;

let plain: http.Server;
let secure: https.Server;
before(async () => {
  plain = await namedBackend('plain');
  const ALPNProtocols = [...new Set(VALUES), 'http/1.1'].filter((name) => name !== '');
  const options = { cert: pem('server.pem'), key: pem('server.key'), ALPNProtocols };
  secure = https.createServer(options, (_, response) => response.end('tls'));
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
});
after(() => {
  for (const server of [plain, secure]) server.close().closeAllConnections();
});

function cluster(name: string, upstream: (typeof UPSTREAMS)[number], more: object = {}): object {
  const address = {
    socket_address: { address: '127.0.0.1', port_value: portOf(upstream === 'tls' ? secure : plain) },
  };
  const tls = { '@type': `${TYPE}extensions.transport_sockets.tls.v3.UpstreamTlsContext` };
  return {
    name,
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...(upstream === 'tls' && { transport_socket: { name: 'tls', typed_config: tls } }),
    ...more,
  };
}

function manager(): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }];
  return httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
}

function setFilterState(object: object, value: string): object {
  const format_string = { text_format_source: { inline_string: value } };
  return {
    name: 'set',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.set_filter_state.v3.Config`,
      on_new_connection: [{ ...object, format_string, skip_if_empty: true }],
    },
  };
}

/** Connections that each cluster has made. */
async function connections(proxy: EnvoyProcess): Promise<Record<string, number>> {
  const text = await (await fetch(`${proxy.admin}/stats?filter=upstream_cx_total$`)).text();
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => [line.split('.')[1], Number(line.split(': ')[1])]),
  );
}

interface Outcome {
  readonly statuses: readonly number[];
  readonly connections: Readonly<Record<string, number>>;
}

/** What both proxies did: the same. */
async function compare(
  bootstrap: object,
  requests: (proxy: EnvoyProcess) => Promise<number[]>,
): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const command of [[ENVOY_BIN!], PILOTFISH]) {
    const proxy = await EnvoyProcess.start(bootstrap, command);
    try {
      const statuses = await requests(proxy);
      outcomes.push({ statuses, connections: await connections(proxy) });
    } finally {
      await proxy.stop();
    }
  }
  assert.deepEqual(outcomes[1], outcomes[0]);
  return outcomes[0]!;
}

/** On a connection of its own. */
async function request(proxy: EnvoyProcess, from: string, name: string, host = 'h'): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const headers = { 'x-cluster': name, host };
  const { status } = await ask(`http://127.0.0.1:${proxy.ports.get(from)}/`, { agent, headers });
  agent.destroy();
  return status!;
}

test('filter state of the client', { skip, timeout: 60_000 }, async () => {
  const names = Object.keys(OBJECTS);
  const config = {
    static_resources: {
      clusters: names.flatMap((name) =>
        UPSTREAMS.map((upstream) => cluster(`${name}-${upstream}`, upstream)),
      ),
      listeners: names.flatMap((name) =>
        [...new Set(VALUES)].map((value) =>
          listener(`${name} ${value}`, 0, [{ filters: [setFilterState(OBJECTS[name]!, value), manager()] }]),
        ),
      ),
    },
  };
  const { connections: made } = await compare(config, async (proxy) => {
    const statuses: number[] = [];
    for (const name of names)
      for (const upstream of UPSTREAMS)
        for (const value of VALUES)
          statuses.push(await request(proxy, `${name} ${value}`, `${name}-${upstream}`));
    return statuses;
  });
  // a.test and A.test are one name, but two texts; and one connection is for those without.
  assert.equal(made['server-name-plain'], 3);
  assert.equal(made['hashable-once-tls'], 4);
  assert.equal(made['shared-string-tls'], 1);
});

test('names of requests', { skip, timeout: 60_000 }, async () => {
  const options = (upstream_http_protocol_options: object): object => ({
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options,
      },
    },
  });
  const kinds = { sni: { auto_sni: true }, san: { auto_san_validation: true }, neither: {} };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  const config = {
    static_resources: {
      clusters: names.flatMap((name) =>
        UPSTREAMS.map((upstream) => cluster(`${name}-${upstream}`, upstream, options(kinds[name]))),
      ),
      listeners: [listener('in', 0, [{ filters: [manager()] }])],
    },
  };
  await compare(config, async (proxy) => {
    const statuses: number[] = [];
    for (const name of names)
      for (const upstream of UPSTREAMS)
        for (const host of ['a.test', 'a.test:80', 'b.test', 'A.test', '127.0.0.1'])
          statuses.push(await request(proxy, 'in', `${name}-${upstream}`, host));
    return statuses;
  });
});
