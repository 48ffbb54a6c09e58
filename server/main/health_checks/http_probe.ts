// HTTP/1.1: a request whose answer must have an expected status, and perhaps a certain body.
// Envoy: source/extensions/health_checkers/http/health_checker_impl.cc.

import type * as http from 'node:http';
import { nodeHttp } from '../../common/builtins.ts';
import type { HttpProbeConfig, StatusRange } from '../../common/upstream/health_check_config.ts';
import {
  connectProbe,
  holdsInOrder,
  NETWORK_FAILURE,
  type Probe,
  type ProbeResult,
  type ProbeTarget,
} from './probe.ts';

/** Who answers, as the health_check filter says. */
const SERVICE_NAME = 'x-envoy-upstream-healthchecked-cluster';

export class HttpProbe implements Probe {
  readonly #config: HttpProbeConfig;
  readonly #target: ProbeTarget;
  readonly #agent: http.Agent;
  #request: http.ClientRequest | undefined;

  constructor(config: HttpProbeConfig, target: ProbeTarget, reuse: boolean) {
    this.#config = config;
    this.#target = target;
    this.#agent = new (nodeHttp().Agent)({ keepAlive: reuse, maxSockets: 1 });
    if (target.security === undefined) return;
    // Nothing is sent to a host that has not shown who it is.
    this.#agent.createConnection = (_options, onCreated) => {
      connectProbe(target, (socket) => {
        if (socket === undefined) onCreated?.(new Error('no connection'), undefined as never);
        else onCreated?.(null, socket);
      });
      return undefined;
    };
  }

  start(onResult: (result: ProbeResult) => void): void {
    const { method, path, body } = this.#config;
    const { ip, port, path: socketPath } = this.#target;
    const request = nodeHttp().request({
      ...(socketPath === '' ? { host: ip, port } : { socketPath }),
      agent: this.#agent,
      method,
      path,
      setHost: false,
    });
    this.#request = request;
    for (const [name, value] of probeHeaders(this.#config, this.#target)) request.setHeader(name, value);
    // Node's own is not Envoy's.
    request.removeHeader('connection');
    const finish = (result: ProbeResult): void => {
      if (this.#request !== request) return;
      this.#request = undefined;
      onResult(result);
    };
    request.on('error', () => finish(NETWORK_FAILURE));
    request.on('close', () => finish(NETWORK_FAILURE));
    request.on('response', (response) => {
      const answer = new ProbeAnswer(this.#config);
      response.on('data', (bytes: Buffer) => answer.add(bytes));
      response.on('error', () => finish(NETWORK_FAILURE));
      response.on('end', () => finish(answer.judge(response.statusCode ?? 0, response.headers)));
    });
    request.end(body);
  }

  abort(): void {
    const request = this.#request;
    this.#request = undefined;
    request?.destroy();
  }

  close(): void {
    this.abort();
    this.#agent.destroy();
  }
}

/** Names in lower case. */
export function probeHeaders(
  { headers, headersToRemove, body }: HttpProbeConfig,
  { hostname }: ProbeTarget,
): Map<string, string> {
  const all = new Map([
    ['host', hostname],
    ['user-agent', 'Envoy/HC'],
  ]);
  for (const [name, value] of headers) all.set(name, value);
  for (const name of headersToRemove) all.delete(name);
  if (body !== undefined) all.set('content-length', String(body.length));
  return all;
}

/** What came, and what it means. */
export class ProbeAnswer {
  readonly #config: HttpProbeConfig;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(config: HttpProbeConfig) {
    this.#config = config;
  }

  add(bytes: Buffer): void {
    const { receive, responseBufferBytes } = this.#config;
    if (receive.length === 0) return;
    const room = responseBufferBytes === 0 ? bytes.length : responseBufferBytes - this.#length;
    if (room <= 0) return;
    const part = bytes.subarray(0, room);
    this.#chunks.push(part);
    this.#length += part.length;
  }

  judge(status: number, headers: Readonly<Record<string, unknown>>): ProbeResult {
    const { expected, retriable, receive, serviceName } = this.#config;
    const exclude = headers['x-envoy-immediate-health-check-fail'] !== undefined;
    const matches = receive.length === 0 || holdsInOrder(receive, Buffer.concat(this.#chunks));
    const degraded = headers['x-envoy-degraded'] !== undefined;
    if (!matches || !within(expected, status)) {
      const counted = matches && within(retriable, status);
      return { ok: false, verified: false, type: 'ACTIVE', retriable: counted, status, exclude };
    }
    if (serviceName === undefined) return { ok: true, degraded, verified: false };
    if (serviceName.match(String(headers[SERVICE_NAME] ?? ''))) return { ok: true, degraded, verified: true };
    return { ok: false, verified: true, type: 'ACTIVE', retriable: false, status, exclude };
  }
}

function within(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(([start, end]) => status >= start && status < end);
}
