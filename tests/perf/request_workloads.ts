// CPU time per request (or per GB) of a proxy under full load. Time on the clock says little on a machine with other work;
// CPU time of the whole process survives it.

import { HAS_H2LOAD, runH2load } from './h2load.ts';
import { MESSAGE } from './http2_peer.ts';
import type { LoadPlan, LoadReport } from './load.ts';
import { PinnedChild } from './pinned_child.ts';
import { cpuBetween, cpuTime } from './process_cost.ts';
import type { RequestPorts, Workload } from './workload.ts';
import { HAS_WRK, runWrk } from './wrk.ts';

interface RequestWorkload {
  readonly title: string;
  readonly unit: string;
  /** Multiplies ms per count of the load report. */
  readonly scale: number;
  readonly goal: number;
  readonly listener: keyof RequestPorts;
  load(port: number, seconds: number): Promise<LoadReport>;
}

/** Seconds of load before the first measurement, at most. */
const WARM_UP_SECONDS = 2;
/** ms that a load may take beyond its time. */
const SLACK_MS = 60_000;
const CONNECTIONS = 64;
const HTTP2_CONNECTIONS = 10;
const HTTP2_STREAMS = 50;
const POST_BYTES = 16_384;
const DOWNLOAD_BYTES = 1_500_000_000;
const PING_CONNECTIONS = 16;
const PING_BYTES = 64;
const PER_REQUEST = { unit: 'CPU µs per request', scale: 1000 };

export const h1get = measured({
  ...PER_REQUEST,
  title: `HTTP/1.1 GET, 1 KB, ${CONNECTIONS} connections`,
  goal: 0.5,
  listener: 'http',
  load: (port, seconds) => http(port, seconds, false, 0),
});

export const h1post = measured({
  ...PER_REQUEST,
  title: `HTTP/1.1 POST, 16 KB, ${CONNECTIONS} connections`,
  goal: 0.85,
  listener: 'http',
  load: (port, seconds) => http(port, seconds, false, POST_BYTES),
});

export const tls = measured({
  ...PER_REQUEST,
  title: `HTTP/1.1 GET over TLS, 1 KB, ${CONNECTIONS} connections`,
  goal: 0.75,
  listener: 'tls',
  load: (port, seconds) => http(port, seconds, true, 0),
});

export const h2h1 = measured({
  ...PER_REQUEST,
  title: `HTTP/2 GET to HTTP/1.1, 1 KB, ${HTTP2_CONNECTIONS} × ${HTTP2_STREAMS} streams`,
  goal: 0.45,
  listener: 'http2',
  load: (port, seconds) => http2(port, seconds, HTTP2_CONNECTIONS, HTTP2_STREAMS, false),
});

export const grpc = measured({
  ...PER_REQUEST,
  title: `gRPC unary, HTTP/2 to HTTP/2, ${HTTP2_CONNECTIONS} × ${HTTP2_STREAMS} streams`,
  goal: 0.45,
  listener: 'grpc',
  load: (port, seconds) => http2(port, seconds, HTTP2_CONNECTIONS, HTTP2_STREAMS, true),
});

/** Nothing to gather into one write. */
export const h1get1 = measured({
  ...PER_REQUEST,
  title: 'HTTP/1.1 GET, 1 KB, one at a time',
  goal: 0.8,
  listener: 'http',
  load: (port, seconds) => http(port, seconds, false, 0, 1),
});

export const grpc1 = measured({
  ...PER_REQUEST,
  title: 'gRPC unary, HTTP/2 to HTTP/2, one at a time',
  goal: 0.8,
  listener: 'grpc',
  load: (port, seconds) => http2(port, seconds, 1, 1, true),
});

export const tcpbulk = measured({
  title: 'TCP, download of 1.5 GB',
  unit: 'CPU ms per GB',
  scale: 1e9,
  goal: 0.85,
  listener: 'source',
  load: (port) => generate({ kind: 'download', port, bytes: DOWNLOAD_BYTES }, 0),
});

export const tcppp16 = measured({
  title: `TCP, ${PING_BYTES} bytes there and back, ${PING_CONNECTIONS} connections`,
  unit: 'CPU µs per message',
  scale: 1000,
  goal: 1.2,
  listener: 'echo',
  load: (port, seconds) =>
    generate({ kind: 'ping', port, seconds, connections: PING_CONNECTIONS, bytes: PING_BYTES }, seconds),
});

function measured({ title, unit, scale, goal, listener, load }: RequestWorkload): Workload {
  return async (stage, peer, seconds) => {
    const { proxy, ports } = await stage.serving(peer);
    const port = ports[listener];
    if (stage.isCold(peer, title)) await load(port, Math.min(seconds, WARM_UP_SECONDS));
    const before = cpuTime(proxy.pid);
    const { count, errors, reason } = await load(port, seconds);
    const spent = cpuBetween(before, cpuTime(proxy.pid));
    if (errors > 0 || count === 0) throw new Error(`${count} answers, ${errors} errors: ${reason ?? ''}`);
    return [{ title, unit, goal, value: (spent * scale) / count }];
  };
}

function http(
  port: number,
  seconds: number,
  secure: boolean,
  bodyBytes: number,
  connections = CONNECTIONS,
): Promise<LoadReport> {
  if (HAS_WRK && Number.isInteger(seconds)) {
    const url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}/`;
    return runWrk(url, connections, seconds, bodyBytes > 0);
  }
  return generate({ kind: 'http', port, seconds, secure, bodyBytes, connections }, seconds);
}

function http2(
  port: number,
  seconds: number,
  connections: number,
  streams: number,
  grpc: boolean,
): Promise<LoadReport> {
  if (HAS_H2LOAD && Number.isInteger(seconds)) {
    const url = `http://127.0.0.1:${port}/${grpc ? 'bench.Echo/Unary' : ''}`;
    return runH2load(url, connections, streams, seconds, grpc ? MESSAGE : undefined);
  }
  return generate({ kind: 'http2', port, seconds, connections, streams, grpc }, seconds);
}

async function generate(plan: LoadPlan, seconds: number): Promise<LoadReport> {
  const child = new PinnedChild('load.ts', JSON.stringify(plan));
  try {
    return await child.report<LoadReport>(seconds * 1000 + SLACK_MS);
  } finally {
    child.stop();
  }
}
