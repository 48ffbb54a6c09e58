// gRPC through the proxy with @grpc/grpc-js on both sides: the four kinds of calls, statuses, deadlines, cancellation, and
// streams that outlast every idle timeout because something moves.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { http2Config } from './http2_resources.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import { TYPE } from './resources.ts';

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});
const ECHO = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  count: method('Count', false, true),
  chat: method('Chat', true, true),
};

const cancelled: string[] = [];
let unavailable = 0;

const service: grpc.UntypedServiceImplementation = {
  unary(call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
    const text = call.request.toString();
    call.on('cancelled', () => cancelled.push(text));
    const trailers = new grpc.Metadata();
    trailers.set('x-trailer', 'from the server');
    for (const value of call.metadata.get('x-echo-bin')) trailers.add('x-echo-bin', value);
    if (text === 'never') return;
    if (text === 'fail')
      callback({ code: grpc.status.NOT_FOUND, details: 'no “such” thing\n', metadata: trailers });
    else if (text === 'twice' && unavailable++ % 3 !== 2)
      callback({ code: grpc.status.UNAVAILABLE, details: 'later' });
    else callback(null, call.request, trailers);
  },
  collect(call: grpc.ServerReadableStream<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
    let length = 0;
    call.on('data', (message: Buffer) => (length += message.length));
    call.on('end', () => callback(null, Buffer.from(String(length))));
  },
  count(call: grpc.ServerWritableStream<Buffer, Buffer>) {
    const [count, ms] = call.request.toString().split(' ').map(Number);
    let sent = 0;
    const next = (): void => {
      if (call.cancelled) return;
      if (sent === count) call.end();
      else {
        call.write(Buffer.from(String(sent++)));
        setTimeout(next, ms);
      }
    };
    call.on('cancelled', () => cancelled.push('count'));
    next();
  },
  chat(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
    call.on('error', () => undefined);
  },
};

describe('gRPC', () => {
  const server = new grpc.Server();
  const directory = mkdtempSync(path.join(os.tmpdir(), 'grpc-'));
  const log = path.join(directory, 'access.log');
  let proxy: ProxyProcess;
  let client: grpc.Client;

  before(async () => {
    server.addService(ECHO as unknown as grpc.ServiceDefinition, service);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const config = http2Config([port], {
      action: {
        max_stream_duration: { grpc_timeout_header_max: '0s' },
        retry_policy: { retry_on: 'unavailable', num_retries: 3 },
      },
      manager: {
        // Long enough for many calls at once on a busy machine.
        stream_idle_timeout: '3s',
        access_log: [
          {
            name: 'file',
            typed_config: {
              '@type': `${TYPE}extensions.access_loggers.file.v3.FileAccessLog`,
              path: log,
              log_format: {
                text_format_source: {
                  inline_string: '%REQ(:PATH)% %GRPC_STATUS% %GRPC_STATUS_NUMBER% %PROTOCOL%\n',
                },
              },
            },
          },
        ],
        http_filters: [
          {
            name: 'grpc_stats',
            typed_config: {
              '@type': `${TYPE}extensions.filters.http.grpc_stats.v3.FilterConfig`,
              stats_for_all_methods: true,
            },
          },
          { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
        ],
      },
    });
    proxy = await ProxyProcess.start(
      ...['--config-yaml', config, '--concurrency', '1', '--file-flush-interval-msec', '50'],
    );
    client = new grpc.Client(`127.0.0.1:${await proxy.port('in')}`, grpc.credentials.createInsecure());
  });

  after(async () => {
    client?.close();
    server.forceShutdown();
    await proxy?.stop();
  });

  interface Outcome {
    readonly error: grpc.ServiceError | null;
    readonly reply: string | undefined;
    readonly trailers: grpc.Metadata;
  }

  function unary(
    text: string,
    metadata = new grpc.Metadata(),
    options: grpc.CallOptions = {},
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      let outcome: Omit<Outcome, 'trailers'> | undefined;
      const call = client.makeUnaryRequest(
        ECHO.unary.path,
        bytes.serialize,
        bytes.deserialize,
        Buffer.from(text),
        metadata,
        options,
        (error, reply) => (outcome = { error, reply: reply?.toString() }),
      );
      call.on('status', ({ metadata: trailers }) => resolve({ ...outcome!, trailers }));
    });
  }

  test('unary, with metadata both ways and binary values', async () => {
    const metadata = new grpc.Metadata();
    metadata.add('x-echo-bin', Buffer.of(0, 255, 128));
    const { error, reply, trailers } = await unary('hello', metadata);
    assert.deepEqual([error, reply], [null, 'hello']);
    assert.deepEqual(trailers.get('x-trailer'), ['from the server']);
    assert.deepEqual(trailers.get('x-echo-bin'), [Buffer.of(0, 255, 128)]);
  });

  test('many at once', async () => {
    const replies = await Promise.all(Array.from({ length: 500 }, (_, i) => unary(`call ${i}`)));
    assert.ok(replies.every(({ reply }, i) => reply === `call ${i}`));
  });

  test('a message larger than every window', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024);
    assert.equal((await unary(text)).reply, text);
  });

  test('a status with a message that needs escapes', async () => {
    const { error, trailers } = await unary('fail');
    assert.deepEqual([error?.code, error?.details], [grpc.status.NOT_FOUND, 'no “such” thing\n']);
    assert.deepEqual(trailers.get('x-trailer'), ['from the server']);
  });

  test('UNAVAILABLE is tried again', async () => {
    assert.equal((await unary('twice')).reply, 'twice');
    assert.equal(unavailable, 3);
  });

  test('a deadline is kept by the proxy, and the server hears of it', async () => {
    const started = performance.now();
    const { error } = await unary('never', undefined, { deadline: Date.now() + 200 });
    assert.equal(error?.code, grpc.status.DEADLINE_EXCEEDED);
    assert.ok(performance.now() - started < 2000);
    await eventually(async () => cancelled.includes('never'), 'cancelled at the server');
  });

  test('a client stream', async () => {
    const total = await new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        ECHO.collect.path,
        bytes.serialize,
        bytes.deserialize,
        (error: grpc.ServiceError | null, reply?: Buffer) =>
          error ? reject(error) : resolve(reply!.toString()),
      );
      for (let i = 0; i < 200; i++) call.write(Buffer.alloc(10_000));
      call.end();
    });
    assert.equal(total, '2000000');
  });

  test('a server stream outlasts stream_idle_timeout while messages come', async () => {
    const call = client.makeServerStreamRequest(
      ECHO.count.path,
      bytes.serialize,
      bytes.deserialize,
      Buffer.from('17 200'),
    );
    const messages: string[] = [];
    for await (const message of call) messages.push((message as Buffer).toString());
    assert.equal(messages.length, 17);
  });

  test('a server stream in which nothing comes ends with stream_idle_timeout', async () => {
    const call = client.makeServerStreamRequest(
      ECHO.count.path,
      bytes.serialize,
      bytes.deserialize,
      Buffer.from('2 10000'),
    );
    call.on('data', () => undefined);
    const error = await new Promise<grpc.ServiceError>((resolve) => call.on('error', resolve));
    assert.equal(error.code, grpc.status.INTERNAL, error.details);
    await eventually(async () => cancelled.includes('count'), 'cancelled at the server');
  });

  test('both ways, and cancelled by the client', async () => {
    const call = client.makeBidiStreamRequest(ECHO.chat.path, bytes.serialize, bytes.deserialize);
    const messages: string[] = [];
    call.on('data', (message: Buffer) => messages.push(message.toString()));
    for (const text of ['a', 'b', 'c']) {
      call.write(Buffer.from(text));
      await sleep(20);
    }
    await eventually(async () => messages.length === 3, 'the echo');
    const ended = new Promise<grpc.ServiceError>((resolve) => call.on('error', resolve));
    call.cancel();
    assert.equal((await ended).code, grpc.status.CANCELLED);
  });

  test('statuses are in the access log, and calls in the statistics', async () => {
    await eventually(
      async () => readFileSync(log, 'utf8').includes('/test.Echo/Unary NotFound 5 HTTP/2'),
      'the log',
    );
    const { body } = await proxy.admin('/stats?filter=cluster.c.grpc.test.Echo.Unary');
    assert.match(body, /cluster\.c\.grpc\.test\.Echo\.Unary\.0: \d+/);
    assert.match(body, /cluster\.c\.grpc\.test\.Echo\.Unary\.5: 1\n/);
  });

  test('an upstream that is gone is UNAVAILABLE', async () => {
    server.forceShutdown();
    await eventually(async () => (await unary('x')).error?.code === grpc.status.UNAVAILABLE, 'UNAVAILABLE');
  });
});
