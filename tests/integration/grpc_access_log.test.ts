// Access logs to a service that goes and comes back: what is not taken is bounded, and each stream says anew whose it is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import { type TestContext, test } from 'node:test';
import type { StreamAccessLogsMessage } from '../../xds-protos/generated/envoy/service/accesslog/v3.ts';
import { decode } from '../../xds-protos/load.ts';
import { ANY_ADMIN_PORT, ask, eventually, ProxyProcess } from './proxy_process.ts';
import { httpFilter, listener, portOf, TYPE } from './resources.ts';

const MESSAGE = 'envoy.service.accesslog.v3.StreamAccessLogsMessage';

/** Every stream ends with its first message. */
async function serve(t: TestContext, messages: StreamAccessLogsMessage[]): Promise<http2.Http2Server> {
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    let bytes = Buffer.alloc(0);
    stream.on('error', () => undefined);
    stream.on('data', (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt32BE(1) || stream.headersSent) return;
      messages.push(decode(MESSAGE, bytes.subarray(5)) as never);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '14' }));
      stream.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

async function start(t: TestContext, port_value: number, config: object): Promise<ProxyProcess> {
  const typed_config = {
    '@type': `${TYPE}extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
    common_config: {
      log_name: 'mine',
      grpc_service: { envoy_grpc: { cluster_name: 'als' } },
      transport_api_version: 'V3',
      ...config,
    },
  };
  const routes = [{ match: { prefix: '/' }, direct_response: { status: 200 } }];
  const manager = httpFilter('', {
    rds: undefined,
    access_log: [{ name: 'als', typed_config }],
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
  const als = {
    name: 'als',
    load_assignment: { cluster_name: 'als', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        // As much is held back for a stream whose window is closed.
        explicit_http_config: { http2_protocol_options: { initial_stream_window_size: 65_535 } },
      },
    },
  };
  const bootstrap = {
    ...ANY_ADMIN_PORT,
    node: { id: 'n', cluster: 'c' },
    static_resources: { clusters: [als], listeners: [listener('http', 0, [{ filters: [manager] }])] },
  };
  const proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '1');
  t.after(() => proxy.stop());
  return proxy;
}

async function request(proxy: ProxyProcess, times: number, target = ''): Promise<void> {
  const url = `http://127.0.0.1:${await proxy.port('http')}/${target}`;
  for (let i = 0; i < times; i++) assert.equal((await ask(url)).status, 200);
}

async function counter(proxy: ProxyProcess, name: string): Promise<number> {
  const { body } = await proxy.admin(`/stats?filter=${name}$`);
  return Number(body.split(': ')[1]);
}

test('a stream that the service ends is followed by another one', async (t) => {
  const messages: StreamAccessLogsMessage[] = [];
  const server = await serve(t, messages);
  const proxy = await start(t, portOf(server as unknown as net.Server), { buffer_flush_interval: '0.05s' });
  for (let i = 1; i <= 3; i++) {
    await request(proxy, 1);
    await eventually(async () => messages.length >= i, `message ${i}`);
    // The end of the stream has come, too.
    await eventually(
      async () => (await counter(proxy, 'cluster.als.upstream_rq_active')) === 0,
      'the stream is over',
    );
  }
  for (const { identifier, http_logs: logs } of messages) {
    assert.deepEqual([identifier?.log_name, identifier?.node?.id], ['mine', 'n']);
    assert.equal(logs?.log_entry.length, 1);
  }
  assert.equal(await counter(proxy, 'logs_written'), 3);
});

test('entries that nobody takes are dropped once there are too many', async (t) => {
  const server = http2.createServer();
  // It takes what the window allows and reads nothing.
  server.on('stream', (stream: http2.ServerHttp2Stream) => stream.on('error', () => undefined).pause());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const limits = { buffer_size_bytes: 400, buffer_flush_interval: '100s' };
  const proxy = await start(t, portOf(server as unknown as net.Server), limits);
  const requests = 60;
  await request(proxy, requests, `?${'x'.repeat(4000)}`);
  const [written, dropped] = [await counter(proxy, 'logs_written'), await counter(proxy, 'logs_dropped')];
  assert.ok(dropped > 0, `${written} written, ${dropped} dropped`);
  assert.equal(written + dropped, requests);
});
