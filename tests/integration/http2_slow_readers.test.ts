// Readers that are slow, at either end of a proxy with HTTP/2: whoever sends to them waits, and memory stays what it is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closers, connect, proxy, stat, upstream } from './http2_harness.ts';
import { HTTP1_OPTIONS, http2Config } from './http2_resources.ts';
import { eventually, type ProxyProcess } from './proxy_process.ts';
import { portOf } from './resources.ts';

const MIB = 1024 * 1024;

function memory({ pid }: ProxyProcess): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

describe('slow readers', () => {
  const BODY_BYTES = 64 * MIB;
  /** All that is between the two ends: kernel buffers, windows, watermarks. Far less than the body. */
  const BETWEEN_BYTES = 24 * MIB;
  const chunk = Buffer.alloc(64 * 1024, 'x');

  /** Writes `BODY_BYTES` as fast as they are taken. `sent` tells how many were. */
  function pour(stream: NodeJS.WritableStream, progress: { sent: number }): void {
    const more = (): void => {
      while (progress.sent < BODY_BYTES) {
        progress.sent += chunk.length;
        if (!stream.write(chunk)) {
          stream.once('drain', more);
          return;
        }
      }
      stream.end();
    };
    more();
  }

  /** Small windows, so that what is between the ends does not hide what the proxy holds. */
  const windows = { initial_stream_window_size: 65_535, initial_connection_window_size: 65_535 };
  const protocols = {
    'HTTP/1': HTTP1_OPTIONS,
    'HTTP/2': { explicit_http_config: { http2_protocol_options: windows } },
  };

  for (const [name, protocol] of Object.entries(protocols)) {
    test(`of a response from ${name}: the upstream waits, memory stays, and all of it arrives`, async () => {
      const progress = { sent: 0 };
      let port: number;
      if (name === 'HTTP/1') {
        const server = net.createServer((socket) => {
          socket.on('error', () => undefined);
          socket.once('data', () => {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
            pour(socket, progress);
          });
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        closers.push(() => server.close());
        port = portOf(server);
      } else {
        port = (
          await upstream((stream) => {
            stream.respond({ ':status': 200 });
            pour(stream, progress);
          })
        ).port;
      }
      const { proxy: process, port: listener } = await proxy(http2Config([port], { protocol }));
      const session = connect(listener);
      const before = memory(process);
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => undefined);
      await once(stream, 'response');
      await sleep(800);
      const stalled = progress.sent;
      assert.ok(stalled < BETWEEN_BYTES, `${stalled / MIB} MiB taken from the upstream`);
      await sleep(300);
      assert.ok(progress.sent - stalled < MIB, 'it goes on although nobody reads');
      assert.ok(memory(process) - before < BETWEEN_BYTES, `${(memory(process) - before) / MIB} MiB more`);
      let received = 0;
      stream.on('data', (bytes: Buffer) => (received += bytes.length));
      await once(stream, 'close');
      assert.equal(received, BODY_BYTES);
    });

    test(`of a request to ${name}: the client waits, memory stays, and all of it arrives`, async () => {
      let received = 0;
      let go: () => void = () => undefined;
      let port: number;
      if (name === 'HTTP/1') {
        const server = net.createServer((socket) => {
          socket.on('error', () => undefined);
          socket.pause();
          go = () => {
            socket.on('data', (bytes: Buffer) => (received += bytes.length));
            socket.resume();
          };
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        closers.push(() => server.close());
        port = portOf(server);
      } else {
        port = (
          await upstream((stream) => {
            go = () => stream.on('data', (bytes: Buffer) => (received += bytes.length));
          })
        ).port;
      }
      const { proxy: process, port: listener } = await proxy(
        http2Config([port], { protocol, manager: { http2_protocol_options: windows } }),
      );
      const session = connect(listener);
      const before = memory(process);
      const progress = { sent: 0 };
      const stream = session.request({ ':path': '/', ':method': 'POST', 'content-length': BODY_BYTES });
      stream.on('error', () => undefined);
      pour(stream, progress);
      await sleep(1000);
      assert.ok(progress.sent < BETWEEN_BYTES, `${progress.sent / MIB} MiB taken from the client`);
      assert.ok(memory(process) - before < BETWEEN_BYTES, `${(memory(process) - before) / MIB} MiB more`);
      go();
      await eventually(async () => received >= BODY_BYTES, 'the whole body');
    });
  }
});

test('a response ends when its last byte has gone to the client', async () => {
  const { port: backend } = await upstream((stream) => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(120_000));
  });
  const { proxy: process, port } = await proxy(http2Config([backend]));
  const stream = connect(port).request({ ':path': '/' });
  await eventually(async () => (await stat(process, 'cluster.c.upstream_rq_200')) === 1, 'the response');
  await sleep(200);
  const active = (): Promise<number> => stat(process, 'http.in.downstream_rq_active');
  assert.deepEqual([await stat(process, 'cluster.c.upstream_rq_active'), await active()], [0, 1]);
  stream.resume();
  await eventually(async () => (await active()) === 0, 'the end');
});
