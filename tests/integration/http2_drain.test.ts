// Connections of HTTP/2 that the proxy ends: by SIGTERM and by a replaced listener, under load, no request is lost.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DATA, FrameClient, GOAWAY } from './frame_client.ts';
import { newHttp2Report, runHttp2Client, STREAMS } from './http2_load.ts';
import { HTTP1_OPTIONS, http2Config } from './http2_resources.ts';
import { ProxyProcess } from './proxy_process.ts';
import { portOf } from './resources.ts';

const CLIENTS = 8;

/** More than the client's window, less than what the proxy keeps for it. */
const BIG = Buffer.alloc(512 * 1024, 'x');

const backend = createServer((request, response) => {
  if (request.url === '/big') response.end(BIG);
  else if (request.url === '/long') setTimeout(() => response.end('done'), 1500);
  else setTimeout(() => response.end('done'), Math.random() * 60);
});
backend.listen(0, '127.0.0.1');
await once(backend, 'listening');
after(() => {
  backend.closeAllConnections();
  backend.close();
});

describe('ending connections of HTTP/2', () => {
  test('SIGTERM under load fails no request', async () => {
    const config = http2Config([portOf(backend)], { protocol: HTTP1_OPTIONS });
    const proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '2');
    try {
      const port = await proxy.port('in');
      const report = newHttp2Report();
      const clients = Array.from({ length: CLIENTS }, () => runHttp2Client(port, report));
      await sleep(500);
      proxy.signal('SIGTERM');
      await Promise.all(clients);
      assert.deepEqual(report.failures, []);
      assert.ok(report.answered > CLIENTS * STREAMS, `${report.answered} answered`);
      assert.ok(report.goaways >= CLIENTS, `${report.goaways} told to go`);
      assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    } finally {
      await proxy.stop();
    }
  });

  test('a client that goes on is told the last stream, what came before is answered, what came after refused', async () => {
    const config = http2Config([portOf(backend)], {
      protocol: HTTP1_OPTIONS,
      manager: { drain_timeout: '0.3s', common_http_protocol_options: { max_requests_per_connection: 1 } },
    });
    const proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1');
    try {
      const client = new FrameClient(await proxy.port('in'));
      client.get(1, '/long');
      await sleep(100);
      client.get(3, '/');
      await sleep(500);
      client.get(5, '/');
      await client.closed;
      const goaways = client.frames.filter(({ type }) => type === GOAWAY);
      assert.deepEqual(
        goaways.map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]),
        [
          [2 ** 31 - 1, 0],
          [3, 0],
        ],
      );
      const ended = client.frames.filter(({ flags, type }) => type === DATA && (flags & 1) !== 0);
      assert.deepEqual(
        ended.map(({ stream }) => stream),
        [3, 1],
      );
      assert.ok(!client.frames.some(({ stream }) => stream === 5));
    } finally {
      await proxy.stop();
    }
  });

  test('max_requests_per_connection: GOAWAY, then the last stream, and no request fails', async () => {
    const config = http2Config([portOf(backend)], {
      protocol: HTTP1_OPTIONS,
      manager: {
        drain_timeout: '0.2s',
        common_http_protocol_options: { max_requests_per_connection: 50 },
      },
    });
    const proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1');
    try {
      const port = await proxy.port('in');
      const report = newHttp2Report();
      const clients = Array.from({ length: CLIENTS }, () => runHttp2Client(port, report));
      await sleep(1000);
      proxy.signal('SIGTERM');
      await Promise.all(clients);
      assert.deepEqual(report.failures, []);
      assert.ok(report.goaways > 2 * CLIENTS, `${report.goaways} told to go`);
    } finally {
      await proxy.stop();
    }
  });

  test('an answer that its client has not taken yet is not cut off', async () => {
    const config = http2Config([portOf(backend)], {
      protocol: HTTP1_OPTIONS,
      manager: { drain_timeout: '0.1s', common_http_protocol_options: { max_requests_per_connection: 1 } },
    });
    const proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1');
    try {
      const session = http2.connect(`http://127.0.0.1:${await proxy.port('in')}`);
      session.on('error', () => undefined);
      const stream = session.request({ ':path': '/big' });
      let received = 0;
      await sleep(600);
      stream.on('data', (bytes: Buffer) => (received += bytes.length));
      await new Promise((resolve) => stream.on('close', resolve));
      assert.deepEqual([received, stream.rstCode], [BIG.length, 0]);
      await new Promise<void>((resolve) =>
        session.destroyed ? resolve() : session.on('close', () => resolve()),
      );
    } finally {
      await proxy.stop();
    }
  });
});
