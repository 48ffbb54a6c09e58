// POST /drain_listeners beside Envoy, with all its flags, as Istio's agent asks for it: who still gets in, who is asked to go,
// at once and after the drain time, and what the admin port says meanwhile.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const DRAIN_S = 1;
const FLAGS = [
  '',
  '?graceful',
  '?skip_exit',
  '?inboundonly',
  '?inboundonly&graceful',
  '?inboundonly&graceful&skip_exit',
];

function listener(name: string, traffic_direction: string): object {
  const type = 'type.googleapis.com/envoy.extensions.filters';
  const http = {
    '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }],
        },
      ],
    },
    http_filters: [{ name: 'r', typed_config: { '@type': `${type}.http.router.v3.Router` } }],
  };
  return {
    name,
    traffic_direction,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'h', typed_config: http }] }],
  };
}

const BOOTSTRAP = {
  static_resources: { listeners: [listener('in', 'INBOUND'), listener('out', 'OUTBOUND')] },
};

/** A request on an open connection: `kept`, `asked to go`, or `closed` before it could be sent. */
async function askAgain(socket: net.Socket): Promise<string> {
  if (socket.destroyed || socket.readableEnded) return 'closed';
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  return /\r\nconnection: close\r\n/.test(String(answer[0])) ? 'asked to go' : String(answer[0]).slice(9, 12);
}

function connect(port: number): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}

async function newcomer(port: number): Promise<string> {
  const socket = await connect(port);
  if (socket === undefined) return 'refused';
  const told = await askAgain(socket);
  socket.destroy();
  return told;
}

/** What clients and people see of a drain with these flags. */
async function observe(command: readonly string[], flags: string): Promise<object> {
  const proxy = await EnvoyProcess.start(BOOTSTRAP, [
    ...command,
    '--drain-time-s',
    String(DRAIN_S),
    '--drain-strategy',
    'immediate',
  ]);
  try {
    const ports = ['in', 'out'].map((name) => proxy.ports.get(name)!);
    const old = await Promise.all(ports.map(connect));
    for (const socket of old) assert.equal(await askAgain(socket!), '200');
    const posted = await fetch(`${proxy.admin}/drain_listeners${flags}`, { method: 'POST' });
    const seen: Record<string, unknown> = { answer: [posted.status, await posted.text()] };
    await sleep(200);
    seen['newcomers'] = await Promise.all(ports.map(newcomer));
    seen['old'] = await Promise.all(old.map((socket) => askAgain(socket!)));
    seen['ready'] = (await fetch(`${proxy.admin}/ready`)).status;
    // As long again, for a busy machine.
    await sleep(2 * DRAIN_S * 1000);
    seen['newcomers later'] = await Promise.all(ports.map(newcomer));
    const listed = await (await fetch(`${proxy.admin}/listeners`)).text();
    seen['listed later'] = [...listed.matchAll(/^(\w+)::/gm)].map(([, name]) => name).sort();
    seen['ready later'] = (await fetch(`${proxy.admin}/ready`)).status;
    return seen;
  } finally {
    await proxy.stop();
  }
}

describe('/drain_listeners', { skip: SKIP }, () => {
  for (const flags of FLAGS) {
    test(`with ${flags || 'nothing'}`, async () => {
      const [theirs, ours] = await Promise.all([observe([ENVOY_BIN!], flags), observe(PILOTFISH, flags)]);
      assert.deepEqual(ours, theirs);
    });
  }
});
