// Floods of frames that are valid one by one, against a whole proxy: the connection ends with the right code and stat, memory
// stays flat, and another client of the same worker is served all along.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as h2 from '../../server/common/http/http2/frame.ts';
import {
  block,
  data,
  frame,
  GET,
  headers,
  POST,
  ping,
  priority,
  RawHttp2Client,
  rstStream,
  settings,
  windowUpdate,
} from '../fakes/http2_frames.ts';
import { http2Config } from './http2_resources.ts';
import { ProxyProcess } from './proxy_process.ts';
import { portOf } from './resources.ts';

/** Bytes an attacker may send until the connection must have ended. */
const MOST_BYTES = 60e6;
/** Growth of the process that one attack may cause: heaps breathe. */
const MOST_GROWTH = 40e6;

function times(count: number, bytes: Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

interface Attack {
  readonly what: string;
  readonly stat: string;
  /** The nth burst; streams have new ids each time. */
  burst(n: number): Buffer;
  /** The attacker does not read. */
  readonly deaf?: boolean;
  /** Whether the flood may be told why: not where too much waits for it already. */
  readonly goAway?: string;
}

const CALM = 'ENHANCE_YOUR_CALM';
const ATTACKS: readonly Attack[] = [
  {
    what: 'PING, unread',
    stat: 'http2.outbound_control_flood',
    burst: () => times(2000, ping()),
    deaf: true,
  },
  {
    what: 'SETTINGS, unread',
    stat: 'http2.outbound_control_flood',
    burst: () => times(2000, settings()),
    deaf: true,
  },
  {
    what: 'requests that are no HTTP, each of which has to be reset',
    stat: 'http.in.downstream_rq_too_many_premature_resets',
    burst: (n) =>
      Buffer.concat(
        Array.from({ length: 500 }, (_, i) => headers(2 * (500 * n + i) + 1, [...GET, ['Upper', 'case']])),
      ),
  },
  {
    what: 'empty DATA',
    stat: 'http2.inbound_empty_frames_flood',
    burst: (n) => (n === 0 ? headers(1, POST, 0) : times(100, data(1, ''))),
    goAway: CALM,
  },
  {
    what: 'empty CONTINUATIONs',
    stat: 'http2.inbound_empty_frames_flood',
    burst: (n) =>
      n === 0 ? frame(h2.FRAME_HEADERS, 0, 1, block(GET)) : times(100, frame(h2.FRAME_CONTINUATION, 0, 1)),
    goAway: CALM,
  },
  {
    what: 'CONTINUATIONs without an end',
    stat: 'http2.header_overflow',
    burst: (n) =>
      n === 0
        ? frame(h2.FRAME_HEADERS, 0, 1, block(GET))
        : times(10, frame(h2.FRAME_CONTINUATION, 0, 1, block([['x', 'y'.repeat(1000)]]))),
    goAway: CALM,
  },
  {
    what: 'PRIORITY',
    stat: 'http2.inbound_priority_frames_flood',
    burst: () => times(50, priority(1)),
    goAway: CALM,
  },
  {
    what: 'WINDOW_UPDATE',
    stat: 'http2.inbound_window_update_frames_flood',
    burst: () => times(3, windowUpdate(0, 1)),
    goAway: CALM,
  },
  {
    what: 'streams that are reset as soon as they are opened',
    stat: 'http.in.downstream_rq_too_many_premature_resets',
    burst: (n) =>
      Buffer.concat(
        Array.from({ length: 50 }, (_, i) => {
          const id = 2 * (50 * n + i) + 1;
          return Buffer.concat([headers(id, POST, 0), rstStream(id, h2.CANCEL)]);
        }),
      ),
  },
];

describe('floods', () => {
  const server = http2.createServer();
  let proxy: ProxyProcess;
  let port = 0;
  let honest: http2.ClientHttp2Session;

  before(async () => {
    server.on('stream', (stream: http2.ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      stream.on('end', () => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end('hello');
      });
      stream.resume();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const manager = { stream_error_on_invalid_http_message: true };
    const config = http2Config([portOf(server)], { manager });
    proxy = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1');
    port = await proxy.port('in');
    honest = http2.connect(`http://127.0.0.1:${port}`);
    await ask();
  });
  after(async () => {
    honest?.destroy();
    server.close();
    await proxy?.stop();
  });

  async function ask(): Promise<void> {
    const stream = honest.request({ ':path': '/' });
    const answered = once(stream, 'response', { signal: AbortSignal.timeout(5000) });
    stream.resume();
    const [answer] = await answered;
    assert.equal(answer[':status'], 200);
  }
  async function stat(name: string): Promise<number> {
    const { body } = await proxy.admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
    return Number(/: (\d+)$/m.exec(body)?.[1] ?? 0);
  }
  function memory(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${proxy.pid}/status`, 'utf8'))![1]) * 1024;
  }

  for (const { what, stat: name, burst, deaf = false, goAway } of ATTACKS) {
    test(`${what}: ${name}`, async () => {
      const counted = await stat(name);
      const grown = memory();
      const attacker = new RawHttp2Client(port);
      await attacker.until(({ parser }) => parser.frames.length > 0);
      if (deaf) attacker.socket.pause();
      let sent = 0;
      for (let n = 0; !attacker.closed && !attacker.socket.destroyed && sent < MOST_BYTES; n++) {
        const bytes = burst(n);
        sent += bytes.length;
        // A proxy that reads no more is as good as one that closed.
        if (!attacker.socket.write(bytes)) await Promise.race([once(attacker.socket, 'drain'), sleep(200)]);
        else await sleep(1);
        if ((await stat(name)) > counted) break;
        if (n % 10 === 0) await ask();
      }
      assert.equal(await stat(name), counted + 1, `${sent} bytes were taken`);
      attacker.socket.resume();
      assert.equal(await attacker.until(({ closed }) => closed, 5000), true, 'the connection ends');
      if (goAway !== undefined)
        assert.match(attacker.answers.at(-1) ?? '', new RegExp(`^GOAWAY \\d+ ${goAway}$`));
      await ask();
      assert.ok(memory() - grown < MOST_GROWTH, `${Math.round((memory() - grown) / 1e6)} MB more`);
    });
  }

  test('nothing is left of them', async () => {
    for (let i = 0; i < 100 && (await stat('http.in.downstream_cx_active')) > 1; i++) await sleep(20);
    assert.equal(await stat('http.in.downstream_cx_active'), 1);
    assert.equal(await stat('http.in.downstream_rq_active'), 0);
    assert.equal(await stat('http2.streams_active'), 0);
    assert.equal(await stat('http2.pending_send_bytes'), 0);
  });
});
