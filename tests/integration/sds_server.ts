// Serves secrets by SDS, as Istio's agent does on the cluster `sds-grpc`, and says what the proxy answered to each.

import type { DiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encodeAny } from '../../xds-protos/load.ts';
import { type FakeStream, FakeXdsServer } from '../xds/fake_server.ts';

const TYPE = 'envoy.extensions.transport_sockets.tls.v3.Secret';

export class SdsServer {
  readonly server: FakeXdsServer<DiscoveryRequest>;
  readonly #secrets = new Map<string, object>();
  readonly #streams = new Map<FakeStream<DiscoveryRequest>, Set<string>>();
  readonly #waiting = new Map<string, (nack: string | undefined) => void>();
  #sent = 0;

  private constructor(server: FakeXdsServer<DiscoveryRequest>) {
    this.server = server;
    server.onRequest = (request, stream) => this.#onRequest(request, stream);
  }

  /** `address` defaults to a free port of 127.0.0.1. */
  static async start(address?: string): Promise<SdsServer> {
    return new SdsServer(await FakeXdsServer.sotw(address));
  }

  /** A new or changed secret. The proxy's words when it refuses, undefined when it takes it or has not asked for it. */
  async set(name: string, secret: object): Promise<string | undefined> {
    this.#secrets.set(name, secret);
    let refused: string | undefined;
    for (const [stream, names] of this.#streams) {
      if (names.has(name) && !stream.ended) refused ??= await this.#send(stream, name);
    }
    return refused;
  }

  close(): void {
    this.server.close();
  }

  #onRequest(request: DiscoveryRequest, stream: FakeStream<DiscoveryRequest>): void {
    const { response_nonce: nonce, resource_names: names } = request;
    this.#waiting.get(nonce)?.(request.error_detail?.message);
    this.#waiting.delete(nonce);
    const known = this.#streams.get(stream) ?? new Set();
    this.#streams.set(stream, known);
    for (const name of names) {
      if (known.has(name)) continue;
      known.add(name);
      void this.#send(stream, name);
    }
  }

  #send(stream: FakeStream<DiscoveryRequest>, name: string): Promise<string | undefined> {
    const nonce = String(++this.#sent);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiting.set(nonce, resolve);
    const secret = fromJson(TYPE, { name, ...this.#secrets.get(name) } as never);
    stream.sendSotw({
      version_info: nonce,
      nonce,
      type_url: `type.googleapis.com/${TYPE}`,
      resources: [encodeAny(TYPE, secret)],
    });
    return promise;
  }
}
