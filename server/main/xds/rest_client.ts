// HTTP/1.1 to the cluster of a REST source, endpoint after endpoint.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { ConfigError } from '../../api/config_error.ts';

// Not by import: an ES module that imports node:http reads all its exports, and one of them loads 17 MB of undici.
const http = process.getBuiltinModule('node:http');

/** A response larger than any control plane's is a mistake: 512 MB. */
const MAX_BODY_BYTES = 512 * 1024 * 1024;

interface Endpoint {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
}

export class RestClient {
  readonly #clusterName: string;
  readonly #endpoints: readonly Endpoint[];
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #next = 0;

  /** Throws ConfigError for a cluster that HTTP/1.1 in the clear does not reach. */
  constructor(cluster: Cluster, path: string) {
    if (cluster.transport_socket !== undefined) {
      throw new ConfigError(path, `cluster '${cluster.name}': a REST source over TLS is not supported`);
    }
    this.#clusterName = cluster.name;
    this.#endpoints = (cluster.load_assignment?.endpoints ?? []).flatMap((locality) =>
      locality.lb_endpoints.flatMap(({ endpoint }): Endpoint[] => {
        const pipe = endpoint?.address?.pipe;
        const socket = endpoint?.address?.socket_address;
        if (pipe !== undefined) return [{ socketPath: pipe.path }];
        return socket?.port_value === undefined ? [] : [{ host: socket.address, port: socket.port_value }];
      }),
    );
    if (this.#endpoints.length === 0)
      throw new ConfigError(path, `cluster '${cluster.name}' has no endpoints`);
  }

  /** The body of a 200, undefined for a 304. Rejects for everything else. */
  async post(path: string, body: string, signal: AbortSignal): Promise<string | undefined> {
    const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length]!;
    const sent = http.request({
      ...endpoint,
      path,
      signal,
      agent: this.#agent,
      method: 'POST',
      headers: { host: this.#clusterName, 'content-type': 'application/json' },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
    if (response.statusCode !== 200) {
      response.resume();
      if (response.statusCode === 304) return undefined;
      throw new Error(`status ${response.statusCode}`);
    }
    return readBody(response);
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`response larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
