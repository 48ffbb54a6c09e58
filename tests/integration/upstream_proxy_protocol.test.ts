// Upstreams that are told of the client by the PROXY protocol: each client has its own connection to them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { ProxyProcess } from './proxy_process.ts';
import { portOf, socketAddress, TYPE } from './resources.ts';

/** Reads the line of version 1, then answers each request with it. */
class Upstream {
  readonly server = net.createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<net.Socket>();
  connections = 0;

  #accept(socket: net.Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    let header = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      let text = bytes.toString('latin1');
      if (header === '') {
        const end = text.indexOf('\r\n') + 2;
        header = text.slice(0, end).trimEnd();
        text = text.slice(end);
      }
      if (text.startsWith('GET'))
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${header.length}\r\n\r\n${header}`);
      else if (text !== '') socket.write(`${header} ${text}`);
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}

const upstream = new Upstream();
let proxy: ProxyProcess;

before(async () => {
  upstream.server.listen(0, '127.0.0.1');
  await once(upstream.server, 'listening');
  const flags = ['--config-yaml', JSON.stringify(bootstrap(portOf(upstream.server))), '--concurrency', '1'];
  proxy = await ProxyProcess.start(...flags);
});
after(async () => {
  await proxy?.stop();
  upstream.close();
});

test('requests of one client share a connection, those of another do not', async () => {
  const port = await proxy.port('http');
  const before = upstream.connections;
  const clients = [1, 2].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
  for (let round = 0; round < 3; round++) {
    for (const agent of clients) {
      const { body, clientPort } = await get(port, agent);
      assert.equal(body, `PROXY TCP4 127.0.0.1 127.0.0.1 ${clientPort} ${port}`);
    }
  }
  assert.equal(upstream.connections - before, 2);
  for (const agent of clients) agent.destroy();
});

test('a TCP client', async () => {
  const port = await proxy.port('tcp');
  const client = net.connect(port, '127.0.0.1');
  client.write('hello');
  const [bytes] = await once(client, 'data');
  assert.equal(String(bytes), `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${port} hello`);
  client.destroy();
});

function get(port: number, agent: http.Agent): Promise<{ body: string; clientPort: number | undefined }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, agent }, (response) => {
      const clientPort = response.socket.localPort;
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ body, clientPort }));
    });
    request.on('error', reject);
  });
}

function bootstrap(port: number): object {
  const typed = (type: string, config: object = {}): object => ({ '@type': TYPE + type, ...config });
  const raw = { name: 'raw', typed_config: typed('extensions.transport_sockets.raw_buffer.v3.RawBuffer') };
  const transport = typed('extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
    config: { version: 'V1' },
    transport_socket: raw,
  });
  const endpoint = { address: socketAddress(port) };
  const router = { name: 'router', typed_config: typed('extensions.filters.http.router.v3.Router') };
  const route = { match: { prefix: '/' }, route: { cluster: 'c' } };
  const manager = typed('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'in',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [route] }] },
    http_filters: [router],
  });
  const tcp = typed('extensions.filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 'tcp', cluster: 'c' });
  const listener = (name: string, typed_config: object): object => ({
    name,
    address: socketAddress(0),
    filter_chains: [{ filters: [{ name, typed_config }] }],
  });
  return {
    admin: { address: socketAddress(0) },
    static_resources: {
      clusters: [
        {
          name: 'c',
          load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
          transport_socket: { name: 'proxy', typed_config: transport },
        },
      ],
      listeners: [listener('http', manager), listener('tcp', tcp)],
    },
  };
}
