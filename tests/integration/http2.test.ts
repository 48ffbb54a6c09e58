// HTTP/2 through the proxy with node's own HTTP/2 on either side: protocols by ALPN and by preface, connections that go away,
// and clients that misbehave.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fields, FrameParser, headers, settings } from '../fakes/http2_frames.ts';
import { ca, certificate, pem } from '../fakes/tls.ts';
import { DATA, FrameClient } from './frame_client.ts';
import { type Answer, ask, closers, connect, type OnStream, proxy, stat, upstream } from './http2_harness.ts';
import { HTTP1_OPTIONS, HTTP2_OPTIONS, http2Config } from './http2_resources.ts';
import { eventually } from './proxy_process.ts';
import { namedBackend, portOf, TYPE } from './resources.ts';

const hello: OnStream = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end('hello');
};

describe('which protocol it is', () => {
  test('a preface that comes byte by byte, and a POST that begins like one', async () => {
    const backend = await namedBackend('backend');
    closers.push(() => backend.close());
    const { port } = await proxy(http2Config([portOf(backend)], { protocol: HTTP1_OPTIONS }));
    const tap = net.createServer((socket) => {
      const to = net.connect(port, '127.0.0.1');
      to.setNoDelay(true);
      to.on('data', (bytes: Buffer) => socket.write(bytes)).on('close', () => socket.destroy());
      let queue = Promise.resolve();
      socket.on('data', (bytes: Buffer) => {
        queue = queue.then(async () => {
          for (const byte of bytes) {
            to.write(Buffer.of(byte));
            await sleep(1);
          }
        });
      });
      socket.on('close', () => to.destroy());
      socket.on('error', () => undefined);
      to.on('error', () => undefined);
    });
    tap.listen(0, '127.0.0.1');
    await once(tap, 'listening');
    closers.push(() => tap.close());
    assert.deepEqual(await ask(connect(portOf(tap))), { status: 200, body: 'backend', code: 0 });
    const socket = net.connect(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => (received += text));
    for (const part of ['P', 'OST / HTTP/1.1\r\nhost: h\r\n', 'content-length: 0\r\n\r\n']) {
      socket.write(part);
      await sleep(30);
    }
    await eventually(async () => received.includes('backend'), received);
  });

  test('ALPN on both sides', async () => {
    const certificates = { key: pem('server.key'), cert: pem('server.pem') };
    const names: string[] = [];
    const secure = http2.createSecureServer({ ...certificates, allowHTTP1: false });
    secure.on('session', (session) =>
      names.push(`h2 ${(session.socket as unknown as { alpnProtocol: string }).alpnProtocol}`),
    );
    secure.on('stream', hello);
    const old = https.createServer(certificates, (_, response) => response.end('old'));
    for (const server of [secure, old]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      closers.push(() => server.close());
    }
    const tls = (type: string, context: object) => ({
      name: 'tls',
      typed_config: { '@type': `${TYPE}extensions.transport_sockets.tls.v3.${type}`, ...context },
    });
    const downstream = tls('DownstreamTlsContext', {
      common_tls_context: { alpn_protocols: ['h2', 'http/1.1'], tls_certificates: [certificate('server')] },
    });
    for (const [server, protocol, body, upstreamProtocol] of [
      [secure, { auto_config: {} }, 'hello', 'http2'],
      [old, { auto_config: {} }, 'old', 'http1'],
      // Without an ALPN of its own a context offers what the cluster speaks.
      [secure, HTTP2_OPTIONS, 'hello', 'http2'],
      [secure, { use_downstream_protocol_config: {} }, 'hello', 'http2'],
      [old, HTTP1_OPTIONS, 'old', 'http1'],
    ] as const) {
      const { proxy: process, port } = await proxy(
        http2Config([portOf(server)], {
          chain: { transport_socket: downstream },
          protocol,
          cluster: {
            transport_socket: tls('UpstreamTlsContext', { common_tls_context: { validation_context: ca() } }),
          },
        }),
      );
      const session = connect(port, { ca: pem('ca.pem'), checkServerIdentity: () => undefined });
      const answers = await Promise.all([ask(session), ask(session), ask(session)]);
      assert.deepEqual(
        answers.map((answer) => answer.body),
        [body, body, body],
      );
      assert.equal(session.alpnProtocol, 'h2');
      assert.ok((await stat(process, `cluster.c.upstream_cx_${upstreamProtocol}_total`)) >= 1);
      assert.equal(await stat(process, 'http.in.downstream_cx_http2_total'), 1);
      const response = await new Promise<string>((resolve, reject) => {
        const request = https.get(`https://127.0.0.1:${port}`, { rejectUnauthorized: false }, (message) => {
          let text = '';
          message.on('data', (bytes: Buffer) => (text += bytes.toString()));
          message.on('end', () => resolve(text));
        });
        request.on('error', reject);
      });
      // Whoever takes over the client's protocol has no HTTP/1 to speak to this server.
      if (!('use_downstream_protocol_config' in protocol)) assert.equal(response, body);
    }
    assert.deepEqual([...new Set(names)], ['h2 h2']);
  });
});

describe('connections of HTTP/2 to the upstream', () => {
  test('one carries many requests; max_concurrent_streams makes more of them', async () => {
    const waiting: http2.ServerHttp2Stream[] = [];
    const { port: backend, sessions } = await upstream(
      (stream) => {
        waiting.push(stream);
        if (waiting.length < 20) return;
        for (const one of waiting.splice(0)) hello(one);
      },
      { settings: { maxConcurrentStreams: 100 } },
    );
    const { port } = await proxy(http2Config([backend]));
    const session = connect(port);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(session)));
    assert.ok(answers.every(({ body }) => body === 'hello'));
    assert.equal(sessions.length, 1);

    const few = { http2_protocol_options: { max_concurrent_streams: 5 } };
    const { port: second } = await proxy(http2Config([backend], { protocol: { explicit_http_config: few } }));
    const other = connect(second);
    await Promise.all(Array.from({ length: 20 }, () => ask(other)));
    assert.equal(sessions.length, 5, 'four more, of five streams each');
  });

  test('a server that closes its connections gracefully costs no request', async () => {
    const { port: backend, sessions } = await upstream((stream) => {
      setTimeout(() => {
        if (stream.destroyed) return;
        hello(stream);
      }, 5);
    });
    const { port } = await proxy(
      http2Config([backend], {
        action: { retry_policy: { retry_on: 'refused-stream', num_retries: 5 } },
        cluster: { circuit_breakers: { thresholds: [{ max_retries: 100 }] } },
      }),
    );
    const session = connect(port);
    let answered = 0;
    const failures: Answer[] = [];
    const end = Date.now() + 1500;
    const worker = async (): Promise<void> => {
      while (Date.now() < end) {
        const answer = await ask(session);
        if (answer.body === 'hello' && answer.code === 0) answered++;
        else failures.push(answer);
      }
    };
    const closing = setInterval(() => sessions.at(-1)?.close(), 50);
    await Promise.all(Array.from({ length: 20 }, worker));
    clearInterval(closing);
    assert.deepEqual(failures, []);
    assert.ok(
      answered > 100 && sessions.length > 5,
      `${answered} answered over ${sessions.length} connections`,
    );
  });

  test('who waits for a place does not get it on a connection that is failing', async () => {
    let connections = 0;
    const server = net.createServer((socket) => {
      const bad = ++connections === 1;
      socket.on('error', () => undefined);
      socket.write(settings());
      const parser = new FrameParser(true);
      let answered = 0;
      socket.on('data', (bytes) => {
        parser.add(bytes as Buffer);
        const requests = parser.frames.filter(({ type }) => type === 'HEADERS');
        for (const { stream } of requests.slice(answered)) {
          answered++;
          const fields: Fields = bad
            ? [
                [':status', '200'],
                ['Upper', 'case'],
              ]
            : [[':status', '200']];
          // Late enough for the other request to wait.
          setTimeout(() => socket.write(headers(stream, fields)), 50);
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const { port } = await proxy(
      http2Config([portOf(server)], {
        protocol: { explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 1 } } },
        cluster: { circuit_breakers: { thresholds: [{ max_connections: 1 }] } },
      }),
    );
    const session = connect(port);
    const [first, second] = await Promise.all([ask(session), ask(session)]);
    assert.equal(first.status, 502);
    assert.equal(second.status, 200);
    assert.equal(connections, 2);
  });

  test('per_upstream_preconnect_ratio keeps one ready', async () => {
    const { port: backend, sessions } = await upstream(hello, { settings: { maxConcurrentStreams: 1 } });
    const few = { http2_protocol_options: { max_concurrent_streams: 1 } };
    const { port } = await proxy(
      http2Config([backend], {
        protocol: { explicit_http_config: few },
        cluster: { preconnect_policy: { per_upstream_preconnect_ratio: 2 } },
      }),
    );
    await ask(connect(port));
    await eventually(async () => sessions.length === 2, 'a second connection');
  });

  test('a connection whose peer is silent ends by keepalive, and its requests with it', async () => {
    // Answers SETTINGS and then nothing, not even PING.
    const silent = net.createServer((socket) => {
      socket.write(Buffer.from('000000040000000000', 'hex'));
      socket.on('error', () => undefined);
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closers.push(() => silent.close());
    const keepalive = { interval: '0.1s', timeout: '0.1s', interval_jitter: { value: 0 } };
    const { proxy: process, port } = await proxy(
      http2Config([(silent.address() as AddressInfo).port], {
        protocol: { explicit_http_config: { http2_protocol_options: { connection_keepalive: keepalive } } },
      }),
    );
    const answer = await ask(connect(port));
    assert.equal(answer.status, 503);
    assert.match(answer.body, /connection termination/);
    assert.equal(await stat(process, 'cluster.c.http2.keepalive_timeout'), 1);
  });
});

describe('clients that misbehave', () => {
  test('who takes most of its requests back loses the connection', async () => {
    const { port: backend } = await upstream(() => undefined);
    const { proxy: process, port } = await proxy(http2Config([backend]));
    const session = connect(port);
    const closed = new Promise((resolve) => session.on('close', resolve));
    for (let i = 0; i < 600 && !session.destroyed; i++) {
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 50 === 0) await sleep(5);
    }
    await closed;
    assert.equal(await stat(process, 'http.in.downstream_rq_too_many_premature_resets'), 1);
    assert.equal(await stat(process, 'http.in.downstream_rq_active'), 0);
    await eventually(
      async () => (await stat(process, 'cluster.c.upstream_rq_active')) === 0,
      'no request left',
    );
  });

  test('http.max_requests_per_io_cycle: what is taken back at once is not begun', async () => {
    const backend = await namedBackend('backend');
    closers.push(() => backend.close());
    const limit = { 'http.max_requests_per_io_cycle': 1 };
    for (const [runtime, begun] of [
      [limit, 2],
      [{}, 12],
    ] as const) {
      const { proxy: process, port } = await proxy(
        http2Config([portOf(backend)], { protocol: HTTP1_OPTIONS, runtime }),
      );
      const client = new FrameClient(port);
      closers.push(() => client.close());
      await sleep(50);
      client.together(() => {
        client.get(1, '/');
        for (let stream = 3; stream < 23; stream += 2) {
          client.get(stream, '/');
          client.reset(stream);
        }
        client.get(23, '/');
      });
      const ends = (): number[] =>
        client.frames
          .filter(({ type, flags }) => type === DATA && (flags & 1) === 1)
          .map(({ stream }) => stream);
      await eventually(async () => ends().length === 2, 'two answers');
      // Each goes to the backend on a connection of its own, so either may be answered first.
      assert.deepEqual(new Set(ends()), new Set([1, 23]));
      assert.equal(await stat(process, 'http.in.downstream_rq_total'), 12);
      assert.equal(await stat(process, 'http.in.rq_total'), begun);
      assert.equal(await stat(process, 'http.in.downstream_rq_active'), 0);
    }
  });
});
