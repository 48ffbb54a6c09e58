// A listener with several addresses of port 0: each is a socket with a port of its own, in Envoy and in Pilotfish.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';

const at = (address: string): object => ({ address: { socket_address: { address, port_value: 0 } } });

const BOOTSTRAP = {
  static_resources: {
    listeners: [
      {
        name: 'in',
        ...at('127.0.0.1'),
        additional_addresses: [at('127.0.0.1'), at('127.0.0.2'), at('127.0.0.1')],
        filter_chains: [
          {
            filters: [
              {
                name: 'echo',
                typed_config: { '@type': `${TYPE}extensions.filters.network.echo.v3.Echo` },
              },
            ],
          },
        ],
      },
    ],
  },
};

function echoed(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.write('hello');
  });
}

/** The IPs in the order of /listeners, what each address answers, and how many ports there are. */
async function observe(command: readonly string[]): Promise<object> {
  const proxy = await EnvoyProcess.start(BOOTSTRAP, command);
  try {
    const text = await (await fetch(`${proxy.admin}/listeners`)).text();
    const addresses = text
      .trim()
      .split('\n')
      .map((line) => line.split('::')[1] as string);
    const ports = addresses.map((address) => Number(address.split(':')[1]));
    const hosts = addresses.map((address) => address.split(':')[0] as string);
    const answers = await Promise.all(hosts.map((host, index) => echoed(host, ports[index] as number)));
    const json: unknown = await (await fetch(`${proxy.admin}/listeners?format=json`)).json();
    const shape = JSON.stringify(json).replace(/"port_value":\d+/g, '"port_value":"<port>"');
    return { hosts, answers, ports: new Set(ports).size, shape };
  } finally {
    await proxy.stop();
  }
}

test('several addresses of port 0 have a port each', { skip, timeout: 60_000 }, async () => {
  const envoy = await observe([ENVOY_BIN!]);
  assert.deepEqual(await observe(PILOTFISH), envoy);
});
