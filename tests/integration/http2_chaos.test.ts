// Everything at once over HTTP/2 for a few seconds: clients that cancel, stall and disappear, upstreams that reset, refuse, cut and
// go away. Afterwards nothing is left: no request, no connection that is not idle, no byte that waits.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { http2Config } from './http2_resources.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import { portOf } from './resources.ts';

const DURATION_MS = 4000;
const CLIENTS = 8;
const STREAMS = 12;

/** A generator of our own, so that a run can be repeated (Numerical Recipes' constants). */
let seed = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 32);
function random(below: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

const server = http2.createServer({ settings: { maxConcurrentStreams: 20 } });
const sessions = new Set<http2.ServerHttp2Session>();
server.on('session', (session) => {
  sessions.add(session);
  session.on('error', () => undefined);
  session.on('close', () => sessions.delete(session));
});
server.on('stream', (stream: http2.ServerHttp2Stream) => {
  stream.on('error', () => undefined);
  stream.resume();
  const act = (): void => {
    if (stream.destroyed) return;
    const kind = random(100);
    if (kind < 4) stream.close(random(14));
    else if (kind < 5) stream.session?.destroy();
    else if (kind < 7) stream.session?.close();
    else if (kind < 10) return;
    else {
      stream.respond({ ':status': 200 }, { waitForTrailers: kind < 40 });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.write(Buffer.alloc(random(200_000), 'x'));
      if (kind < 15) setTimeout(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), random(20));
      else stream.end();
    }
  };
  if (random(2) === 0) act();
  else setTimeout(act, random(30));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => {
  for (const session of sessions) session.destroy();
  server.close();
});

async function runClient(port: number, end: number): Promise<number> {
  let answered = 0;
  while (Date.now() < end) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    await new Promise((resolve) => session.once('connect', resolve).once('error', resolve));
    const until = Math.min(end, Date.now() + 200 + random(1000));
    const worker = async (): Promise<void> => {
      while (Date.now() < until && !session.closed && !session.destroyed)
        if (await request(session)) answered++;
    };
    await Promise.all(Array.from({ length: STREAMS }, worker));
    session.destroy();
  }
  return answered;
}

function request(session: http2.ClientHttp2Session): Promise<boolean> {
  return new Promise((resolve) => {
    const kind = random(10);
    const stream = session.request(
      { ':method': kind < 5 ? 'POST' : 'GET', ':path': '/' },
      { endStream: kind >= 5 },
    );
    let status = 0;
    stream.on('error', () => undefined);
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('close', () => resolve(status === 200));
    if (kind < 5) {
      stream.write(Buffer.alloc(random(100_000), 'y'));
      if (kind < 4) stream.end();
    }
    // Some read late, some not at all.
    if (random(10) > 0) stream.resume();
    else setTimeout(() => stream.resume(), random(100));
    if (random(8) === 0) setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), random(30));
    setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 500);
  });
}

test(`HTTP/2 in all disorder (CHAOS_SEED=${seed})`, async () => {
  const config = http2Config([portOf(server)], {
    action: { retry_policy: { retry_on: 'reset,refused-stream', num_retries: 2 } },
    cluster: { circuit_breakers: { thresholds: [{ max_retries: 100, track_remaining: true }] } },
    manager: { common_http_protocol_options: { max_requests_per_connection: 300 }, drain_timeout: '0.1s' },
  });
  const proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1');
  try {
    const port = await proxy.port('in');
    const end = Date.now() + DURATION_MS;
    const answered = await Promise.all(Array.from({ length: CLIENTS }, () => runClient(port, end)));
    assert.ok(
      answered.every((count) => count > 0),
      answered.join(', '),
    );
    const zero = [
      'http.in.downstream_cx_active',
      'http.in.downstream_rq_active',
      'cluster.c.upstream_rq_active',
      'cluster.c.upstream_rq_pending_active',
      'cluster.c.http2.streams_active',
      'cluster.c.http2.pending_send_bytes',
      'http2.streams_active',
      'http2.pending_send_bytes',
    ];
    const breakers = 'cluster.c.circuit_breakers.default.remaining';
    const expected = new Map<string, number>([
      ...zero.map((name) => [name, 0] as const),
      [`${breakers}_rq`, 1024],
      [`${breakers}_pending`, 1024],
      [`${breakers}_retries`, 100],
    ]);
    let wrong: string[] = [];
    const settled = async (): Promise<boolean> => {
      const { body } = await proxy.admin('/stats');
      const values = new Map(body.split('\n').map((line) => line.split(': ') as [string, string]));
      wrong = [...expected]
        .filter(([name, value]) => values.get(name) !== String(value))
        .map(([name]) => `${name}: ${values.get(name)}`);
      return wrong.length === 0;
    };
    await eventually(settled, 'everything as at the start', 5000).catch(() => assert.deepEqual(wrong, []));
    assert.equal(proxy.stderr.includes('failed:'), false, proxy.stderr);
  } finally {
    await proxy.stop();
  }
});
