// TCP keep-alive of connections to upstreams and from clients: what the kernel was told of each socket, by Envoy and by Pilotfish.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { Agent } from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { ask } from '../integration/proxy_process.ts';
import { echoFilter, httpFilter, listener, namedBackend, portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { type SocketOptions, socketOptionsOf } from './kernel_socket_options.ts';

const skip =
  ENVOY_BIN === undefined
    ? 'no Envoy: set ENVOY_BIN'
    : (process.platform !== 'linux' || process.getuid?.() !== 0) && 'only root may look at sockets of others';

/** `tcp_keepalive` by the name of the cluster or listener that has it; undefined: no options at all. */
const KEEPALIVE: Readonly<Record<string, object | undefined>> = {
  none: undefined,
  defaults: {},
  probes: { keepalive_probes: 4 },
  time: { keepalive_time: 31 },
  interval: { keepalive_interval: 17 },
  'time-and-interval': { keepalive_time: 32, keepalive_interval: 7 },
  'no-time': { keepalive_time: 0 },
  'no-probes': { keepalive_probes: 0 },
  zeros: { keepalive_probes: 0, keepalive_time: 0, keepalive_interval: 0 },
  large: { keepalive_probes: 127, keepalive_time: 32767, keepalive_interval: 32767 },
  all: { keepalive_probes: 5, keepalive_time: 33, keepalive_interval: 8 },
};
const NAMES = Object.keys(KEEPALIVE);

let backends: http.Server[];
before(async () => {
  backends = await Promise.all(NAMES.map(namedBackend));
});
after(() => {
  for (const server of backends) server.close().closeAllConnections();
});

function bootstrap(): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  const clusters = NAMES.map((name, i) => {
    const address = { socket_address: { address: '127.0.0.1', port_value: portOf(backends[i]!) } };
    const tcp_keepalive = KEEPALIVE[name];
    return {
      name,
      connect_timeout: '5s',
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
      ...(tcp_keepalive && { upstream_connection_options: { tcp_keepalive } }),
    };
  });
  return { static_resources: { clusters, listeners: [listener('in', 0, [{ filters: [manager] }])] } };
}

type Answers = Record<string, SocketOptions | undefined>;

async function withProxy(
  command: readonly string[],
  config: object,
  observe: (proxy: EnvoyProcess, agent: Agent) => Promise<Answers>,
): Promise<Answers> {
  const proxy = await EnvoyProcess.start(config, command);
  const agent = new Agent({ keepAlive: true });
  try {
    return await observe(proxy, agent);
  } finally {
    agent.destroy();
    await proxy.stop();
  }
}

async function ofUpstreams(proxy: EnvoyProcess, agent: Agent): Promise<Answers> {
  const all: Answers = {};
  for (const [i, name] of NAMES.entries()) {
    const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
    const { status } = await ask(url, { agent, headers: { 'x-cluster': name } });
    assert.equal(status, 200);
    all[name] = socketOptionsOf(portOf(backends[i]!));
  }
  return all;
}

/** The sockets at the proxy's end of connections to each address of each listener. */
async function ofListeners(proxy: EnvoyProcess): Promise<Answers> {
  const json = (await (await fetch(`${proxy.admin}/listeners?format=json`)).json()) as {
    listener_statuses: { name: string; local_address: Place; additional_local_addresses?: Place[] }[];
  };
  const all: Answers = {};
  for (const { name, local_address, additional_local_addresses = [] } of json.listener_statuses) {
    for (const [i, { socket_address }] of [local_address, ...additional_local_addresses].entries()) {
      const client = net.connect(socket_address.port_value, socket_address.address);
      await new Promise((resolve) => client.once('data', resolve).write('ping'));
      all[`${name} ${i}`] = socketOptionsOf(client.localPort!);
      client.destroy();
    }
  }
  return all;
}

interface Place {
  readonly socket_address: { readonly address: string; readonly port_value: number };
}

function listeners(): object {
  const chains = [{ filters: [echoFilter()] }];
  const on = (address: string): object => ({ socket_address: { address, port_value: 0 } });
  return {
    static_resources: {
      listeners: [
        ...NAMES.map((name) => listener(name, 0, chains, { tcp_keepalive: KEEPALIVE[name] })),
        listener('further', 0, chains, {
          tcp_keepalive: { keepalive_time: 40 },
          additional_addresses: [
            { address: on('127.0.0.2') },
            { address: on('127.0.0.3'), tcp_keepalive: { keepalive_time: 41 } },
          ],
        }),
      ],
    },
  };
}

const compared = { skip, timeout: 60_000 };

test('TCP keepalive of connections to upstreams', compared, async () => {
  const envoy = await withProxy([ENVOY_BIN!], bootstrap(), ofUpstreams);
  assert.equal(envoy.all?.TCP_KEEPCNT, 5);
  assert.deepEqual(await withProxy(PILOTFISH, bootstrap(), ofUpstreams), envoy);
});

test('TCP keepalive of connections from clients', compared, async () => {
  const envoy = await withProxy([ENVOY_BIN!], listeners(), ofListeners);
  assert.equal(envoy['all 0']?.TCP_KEEPCNT, 5);
  assert.deepEqual(await withProxy(PILOTFISH, listeners(), ofListeners), envoy);
});
