// HTTP/2 keepalive beside Envoy, towards clients and upstreams: when PINGs come, what a peer hears that does not answer them,
// and what stats and the access log say then. The peers are frames on sockets.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FLAG_ACK, FLAG_END_STREAM } from '../../server/common/http/http2/frame.ts';
import * as frames from '../fakes/http2_frames.ts';
import { until } from '../fakes/until.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const INTERVAL_MS = 300;
const TIMEOUT_MS = 1500;
/** With full jitter the mean is 150 ms more than without; of so many even gaps it has a deviation of 16 ms. */
const MEANS_DIFFER_MS = 100;
const GAPS = 30;
const CONNECTIONS = 3;
/** A PING that this process notices late makes the time after it shorter. */
const EARLY_MS = 100;

type Json = Readonly<Record<string, unknown>>;

const TYPE = 'type.googleapis.com/envoy.extensions.';
const seconds = (ms: number): string => `${ms / 1000}s`;
const keepalive = (interval_jitter: number): Json => ({
  interval: seconds(INTERVAL_MS),
  timeout: seconds(TIMEOUT_MS),
  interval_jitter: { value: interval_jitter },
});

/** A peer that speaks HTTP/2 by hand. */
class Peer {
  readonly socket: net.Socket;
  readonly #parser: frames.FrameParser;
  #seen = 0;
  /** Answers PINGs. */
  answering = true;
  /** Of requests: answers them. */
  responding = true;
  /** Names of frames but for SETTINGS and WINDOW_UPDATE, as they came. */
  readonly story: string[] = [];
  /** Of PINGs, ms of the monotonic clock; and of the end. */
  readonly pings: number[] = [];
  ended: number | undefined;

  constructor(socket: net.Socket, ofClient: boolean) {
    this.socket = socket;
    this.#parser = new frames.FrameParser(ofClient);
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    const end = (how: string) => () => {
      this.ended ??= performance.now();
      this.story.push(how);
    };
    socket.on('end', end('FIN'));
    socket.on('error', end('RST'));
  }

  #read(bytes: Buffer): void {
    this.#parser.add(bytes);
    for (const { type, flags, stream, payload } of this.#parser.frames.slice(this.#seen)) {
      this.#seen++;
      if (type === 'SETTINGS') {
        if ((flags & FLAG_ACK) === 0) this.socket.write(frames.SETTINGS_ACK);
      } else if (type === 'PING') {
        if ((flags & FLAG_ACK) !== 0) continue;
        this.story.push(type);
        this.pings.push(performance.now());
        if (this.answering) this.socket.write(frames.frame(6, FLAG_ACK, 0, payload));
      } else if (type !== 'WINDOW_UPDATE') {
        this.story.push(type);
        if (type === 'HEADERS' && stream % 2 === 1 && this.responding)
          this.socket.write(frames.headers(stream, [[':status', '200']], FLAG_END_STREAM));
      }
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A client; a request when `authority` is given. */
async function client(port: number, authority?: string): Promise<Peer> {
  const socket = net.connect(port, '127.0.0.1');
  const peer = new Peer(socket, false);
  peer.responding = false;
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(frames.greeting());
  if (authority !== undefined) request(peer, 1, authority);
  return peer;
}

function request({ socket }: Peer, stream: number, authority: string): void {
  socket.write(
    frames.headers(stream, [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', authority],
    ]),
  );
}

/** An upstream. */
class QuietUpstream {
  readonly #server = net.createServer((socket) => {
    const peer = new Peer(socket, true);
    peer.answering = this.#answering;
    peer.responding = this.#responding;
    socket.write(frames.settings());
    this.peers.push(peer);
  });
  readonly #answering: boolean;
  readonly #responding: boolean;
  readonly peers: Peer[] = [];
  port = 0;

  constructor(answering: boolean, responding: boolean) {
    this.#answering = answering;
    this.#responding = responding;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Clusters by name: what their hosts do, and how they are asked whether they are there. */
const UPSTREAMS: Readonly<Record<string, { peer: () => QuietUpstream; keepalive: Json | undefined }>> = {
  holding: { peer: () => new QuietUpstream(true, false), keepalive: undefined },
  answering: { peer: () => new QuietUpstream(true, true), keepalive: keepalive(0) },
  jittered: { peer: () => new QuietUpstream(true, true), keepalive: keepalive(100) },
  silent: { peer: () => new QuietUpstream(false, false), keepalive: keepalive(0) },
  silent_and_idle: { peer: () => new QuietUpstream(false, true), keepalive: keepalive(0) },
  idle: {
    peer: () => new QuietUpstream(true, true),
    keepalive: { timeout: '5s', connection_idle_interval: seconds(INTERVAL_MS) },
  },
  idle_and_silent: {
    peer: () => new QuietUpstream(false, true),
    keepalive: { timeout: seconds(TIMEOUT_MS), connection_idle_interval: seconds(INTERVAL_MS) },
  },
};
const LISTENERS: Readonly<Record<string, Json | undefined>> = {
  none: undefined,
  steady: keepalive(0),
  jittered: keepalive(100),
};

interface Side {
  readonly process: EnvoyProcess;
  readonly log: string;
  readonly upstreams: ReadonlyMap<string, QuietUpstream>;
}

describe('HTTP/2 keepalive is that of Envoy', { skip: SKIP, concurrency: true }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'keepalive-'));
  const sides: Side[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const upstreams = new Map<string, QuietUpstream>();
      for (const [name, { peer }] of Object.entries(UPSTREAMS)) {
        const upstream = peer();
        await upstream.listen();
        upstreams.set(name, upstream);
      }
      const log = path.join(directory, `${sides.length}.log`);
      sides.push({ process: await EnvoyProcess.start(bootstrap(upstreams, log), command), log, upstreams });
    }
  });
  after(async () => {
    for (const { process, upstreams } of sides) {
      await process.stop();
      for (const upstream of upstreams.values()) await upstream.close();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  /** What `run` tells must be the same. */
  function same(name: string, run: (side: Side) => Promise<unknown>): void {
    test(name, async () => {
      const [expected, actual] = await Promise.all(sides.map(run));
      assert.deepEqual(actual, expected);
    });
  }

  /** Means of times in ms must be alike. */
  function alike(name: string, run: (side: Side) => Promise<number[]>): void {
    test(name, async () => {
      const means = await Promise.all(
        sides.map(async (side) => {
          const times = await run(side);
          return times.reduce((sum, time) => sum + time, 0) / times.length;
        }),
      );
      assert.ok(Math.abs(means[0] - means[1]) < MEANS_DIFFER_MS, means.join(' and '));
    });
  }

  for (const listener of ['steady', 'jittered'])
    alike(`clients are asked: ${listener}`, async ({ process }) => {
      const peers = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => client(portOf(process, listener))),
      );
      await until(() => peers.every(({ pings }) => pings.length > GAPS / CONNECTIONS));
      for (const peer of peers) {
        assert.equal(peer.ended, undefined);
        peer.close();
      }
      return peers.flatMap(gapsOf);
    });

  same('a client that does not answer', async ({ process, log }) => {
    const peer = await client(portOf(process, 'steady'), 'holding');
    peer.answering = false;
    await until(() => peer.ended !== undefined);
    const took = peer.ended! - peer.pings[0];
    assert.ok(took > TIMEOUT_MS - EARLY_MS, `${took}`);
    return [...peer.story, ...(await lines(log, 'steady holding'))];
  });

  same('a client that does not answer, and is there', async ({ process }) => {
    const peer = await client(portOf(process, 'steady'));
    peer.answering = false;
    const from = performance.now();
    while (performance.now() < from + 2 * TIMEOUT_MS) {
      peer.socket.write(frames.ping());
      await sleep(TIMEOUT_MS / 15);
    }
    const { story, ended } = peer;
    peer.close();
    return [ended === undefined, ...story];
  });

  for (const cluster of ['answering', 'jittered'])
    alike(`upstreams are asked: ${cluster}`, async ({ process, upstreams }) => {
      const peer = await client(portOf(process, 'none'), cluster);
      await until(() => upstreams.get(cluster)!.peers.length > 0);
      const [upstream] = upstreams.get(cluster)!.peers;
      await until(() => upstream.pings.length > GAPS);
      peer.close();
      assert.equal(upstream.ended, undefined);
      return gapsOf(upstream);
    });

  same('an upstream that does not answer, with a request', async (side) => {
    const { process, log, upstreams } = side;
    const peer = await client(portOf(process, 'none'), 'silent');
    await until(() => upstreams.get('silent')!.peers[0]?.ended !== undefined);
    const logged = await lines(log, 'none silent');
    peer.close();
    return [...upstreams.get('silent')!.peers[0].story, ...logged, ...(await stats(side, 'silent'))];
  });

  same('an upstream that does not answer, without requests', async (side) => {
    const { process, log, upstreams } = side;
    const peer = await client(portOf(process, 'none'), 'silent_and_idle');
    await until(() => upstreams.get('silent_and_idle')!.peers[0]?.ended !== undefined);
    peer.close();
    const { story } = upstreams.get('silent_and_idle')!.peers[0];
    return [
      ...story,
      ...(await lines(log, 'none silent_and_idle')),
      ...(await stats(side, 'silent_and_idle')),
    ];
  });

  same(
    'an upstream is asked before a request when it was silent for long',
    async ({ process, upstreams }) => {
      const peer = await client(portOf(process, 'none'), 'idle');
      const answers = (): number => peer.story.filter((type) => type === 'HEADERS').length;
      await until(() => answers() === 1);
      await sleep(3 * INTERVAL_MS);
      request(peer, 3, 'idle');
      await until(() => answers() === 2);
      await sleep(3 * INTERVAL_MS);
      request(peer, 5, 'idle');
      await until(() => answers() === 3);
      const [upstream] = upstreams.get('idle')!.peers;
      peer.close();
      return [upstreams.get('idle')!.peers.length, ...upstream.story];
    },
  );

  same('an upstream that is asked before a request, and does not answer', async (side) => {
    const { process, upstreams, log } = side;
    const peer = await client(portOf(process, 'none'), 'idle_and_silent');
    const answers = (): number => peer.story.filter((type) => type === 'HEADERS').length;
    await until(() => answers() === 1);
    await sleep(3 * INTERVAL_MS);
    request(peer, 3, 'idle_and_silent');
    await until(() => upstreams.get('idle_and_silent')!.peers[0].ended !== undefined);
    const { story } = upstreams.get('idle_and_silent')!.peers[0];
    peer.close();
    return [
      ...story,
      ...(await lines(log, 'none idle_and_silent')),
      ...(await stats(side, 'idle_and_silent')),
    ];
  });
});

function portOf({ ports }: EnvoyProcess, listener: string): number {
  return ports.get(listener)!;
}

function gapsOf({ pings }: Peer): number[] {
  return pings.slice(1).map((time, i) => time - pings[i]);
}

/** Of the access log, once there is one. */
async function lines(log: string, start: string): Promise<string[]> {
  const found = (): string[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${start} `));
  await until(() => found().length > 0);
  return found();
}

async function stats({ process }: Side, cluster: string): Promise<string[]> {
  const names =
    '(http2|upstream_cx_(total|destroy.*|active|protocol_error)|upstream_rq_(total|rx_reset|tx_reset|pending_total|503)$)';
  const text = await (
    await fetch(`${process.admin}/stats?usedonly&filter=^cluster\\.${cluster}\\.${names}`)
  ).text();
  // Bytes that wait depend on the moment, and frames that are counted on the codec.
  return text.split('\n').filter((line) => line !== '' && !/outbound|inbound|length_ms|nghttp2/.test(line));
}

function bootstrap(upstreams: ReadonlyMap<string, QuietUpstream>, log: string): Json {
  const listener = (name: string, connection_keepalive: Json | undefined): Json => {
    const manager = {
      '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      codec_type: 'HTTP2',
      http2_protocol_options: { ...(connection_keepalive && { connection_keepalive }) },
      access_log: [
        {
          name: 'log',
          typed_config: {
            '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
            path: log,
            log_format: {
              text_format_source: {
                inline_string: `${name} %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%\n`,
              },
            },
          },
        },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster_header: ':authority', timeout: '0s' } }],
          },
        ],
      },
      http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } }],
    };
    return {
      name,
      address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
      filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
    };
  };
  const cluster = (name: string, connection_keepalive: Json | undefined): Json => {
    const address = { socket_address: { address: '127.0.0.1', port_value: upstreams.get(name)!.port } };
    return {
      name,
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': `${TYPE}upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: {
            http2_protocol_options: { ...(connection_keepalive && { connection_keepalive }) },
          },
        },
      },
    };
  };
  return {
    static_resources: {
      listeners: Object.entries(LISTENERS).map(([name, settings]) => listener(name, settings)),
      clusters: Object.entries(UPSTREAMS).map(([name, settings]) => cluster(name, settings.keepalive)),
    },
  };
}
