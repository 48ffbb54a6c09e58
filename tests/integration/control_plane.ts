// A control plane for tests: holds resources as JSON, speaks ADS on real gRPC, and says of every change what the proxy
// answered to it. Incremental here; state of the world is in sotw_control_plane.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DeltaDiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encodeAny, type TypeMap } from '../../xds-protos/load.ts';
import { type FakeStream, FakeXdsServer } from '../xds/fake_server.ts';

const TYPES = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  scope: 'envoy.config.route.v3.ScopedRouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  workload: 'istio.workload.Workload',
} as const satisfies Record<string, keyof TypeMap>;
export type Kind = keyof typeof TYPES;

/** Names that a stream has asked for; undefined: all. */
type Interest = Set<string> | undefined;

/** What both dialects have in common. */
export abstract class ControlPlaneBase<Request> {
  readonly server: FakeXdsServer<Request>;
  /** By type URL, then by name. */
  protected readonly resources = new Map<string, Map<string, object>>();
  protected readonly interests = new Map<FakeStream<Request>, Map<string, Interest>>();
  protected abstract readonly apiType: 'DELTA_GRPC' | 'GRPC';
  readonly #waiting = new Map<string, (nack: string | undefined) => void>();
  /** `<type URL> <name>` of what the proxy has taken. */
  readonly #delivered = new Set<string>();
  #sent = 0;

  constructor(server: FakeXdsServer<Request>) {
    this.server = server;
    for (const type of Object.values(TYPES)) this.resources.set(urlOf(type), new Map());
  }

  /** A bootstrap that gets everything from here. */
  bootstrap(more: object = {}): object {
    const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
    return {
      node: { id: 'test', cluster: 'test' },
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
      dynamic_resources: {
        cds_config: source,
        lds_config: source,
        ads_config: {
          api_type: this.apiType,
          transport_api_version: 'V3',
          grpc_services: [
            {
              envoy_grpc: {
                cluster_name: 'xds',
                retry_policy: { retry_back_off: { base_interval: '0.01s', max_interval: '0.05s' } },
              },
            },
          ],
        },
      },
      static_resources: { clusters: [staticCluster('xds', this.server.port)] },
      ...more,
    };
  }

  /** What the proxy will find, without telling it now. `name` is the resource's. */
  hold(kind: Kind, name: string, resource: object): void {
    this.resources.get(urlOf(TYPES[kind]))!.set(name, resource);
  }

  /** A resource as it is served now. Throws when there is none. */
  held(kind: Kind, name: string): object {
    const resource = this.resources.get(urlOf(TYPES[kind]))!.get(name);
    if (resource === undefined) throw new Error(`no ${kind} ${name}`);
    return resource;
  }

  /** New or changed resources, in one response. The proxy's words when it refuses, undefined when it takes them all. */
  set(kind: Kind, resources: Readonly<Record<string, object>>): Promise<string | undefined> {
    for (const [name, resource] of Object.entries(resources)) this.hold(kind, name, resource);
    return this.#push(urlOf(TYPES[kind]), Object.keys(resources), []);
  }

  remove(kind: Kind, name: string): Promise<string | undefined> {
    const url = urlOf(TYPES[kind]);
    this.resources.get(url)!.delete(name);
    return this.#push(url, [], [name]);
  }

  /** Resolves when the proxy has taken the resource, which it asks for by name. */
  async delivered(kind: Kind, name: string): Promise<void> {
    const key = `${urlOf(TYPES[kind])} ${name}`;
    while (!this.#delivered.has(key)) await sleep(1);
  }

  close(): void {
    this.server.close();
  }

  /** Sends a response; `send` gives it its nonce to. Resolves with the refusal. */
  protected respond(
    url: string,
    names: readonly string[],
    send: (nonce: string) => void,
  ): Promise<string | undefined> {
    const nonce = String(++this.#sent);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiting.set(nonce, (nack) => {
      if (nack === undefined) for (const name of names) this.#delivered.add(`${url} ${name}`);
      resolve(nack);
    });
    send(nonce);
    return promise;
  }

  /** The proxy's answer to a response. */
  protected answered(nonce: string, nack: string | undefined): void {
    this.#waiting.get(nonce)?.(nack);
    this.#waiting.delete(nonce);
  }

  protected abstract send(
    stream: FakeStream<Request>,
    url: string,
    changed: readonly string[],
    removed: readonly string[],
  ): Promise<string | undefined>;

  /** The resources of these names that are there. */
  protected *encoded(url: string, names: Iterable<string>) {
    const type = url.slice(url.indexOf('/') + 1) as keyof TypeMap;
    const resources = this.resources.get(url)!;
    for (const name of names) {
      const resource = resources.get(name);
      if (resource !== undefined)
        yield { name, resource: encodeAny(type, fromJson(type, resource as never)) };
    }
  }

  #push(url: string, changed: readonly string[], removed: readonly string[]): Promise<string | undefined> {
    const stream = this.server.streams.findLast(({ ended }) => !ended);
    const interests = stream && this.interests.get(stream);
    if (!interests?.has(url)) return Promise.resolve(undefined);
    const interest = interests.get(url);
    const wanted = (name: string): boolean => interest === undefined || interest.has(name);
    return this.send(stream!, url, changed.filter(wanted), removed.filter(wanted));
  }
}

/** What tests do with a control plane, whatever it speaks. */
export type AnyControlPlane = Pick<
  ControlPlaneBase<never>,
  'bootstrap' | 'hold' | 'set' | 'remove' | 'delivered' | 'close'
>;

/** Speaks incremental xDS. */
export class ControlPlane extends ControlPlaneBase<DeltaDiscoveryRequest> {
  protected readonly apiType = 'DELTA_GRPC';

  constructor(server: FakeXdsServer<DeltaDiscoveryRequest>) {
    super(server);
    server.onRequest = (request, stream) => this.#onRequest(request, stream);
  }

  /** `address` defaults to a free port of 127.0.0.1. */
  static async start(...at: Parameters<typeof FakeXdsServer.delta>): Promise<ControlPlane> {
    return new ControlPlane(await FakeXdsServer.delta(...at));
  }

  #onRequest(request: DeltaDiscoveryRequest, stream: FakeStream<DeltaDiscoveryRequest>): void {
    const { type_url: url, response_nonce: nonce } = request;
    this.answered(nonce, request.error_detail?.message);
    const resources = this.resources.get(url);
    if (resources === undefined) return;
    let interests = this.interests.get(stream);
    if (interests === undefined) this.interests.set(stream, (interests = new Map()));
    const names = request.resource_names_subscribe;
    if (!interests.has(url)) {
      const all = names.length === 0;
      interests.set(url, all ? undefined : new Set(names));
      void this.send(stream, url, all ? [...resources.keys()] : names, []);
      return;
    }
    const interest = interests.get(url);
    for (const name of request.resource_names_unsubscribe) interest?.delete(name);
    for (const name of names) interest?.add(name);
    if (names.length > 0) void this.send(stream, url, names, []);
  }

  protected send(
    stream: FakeStream<DeltaDiscoveryRequest>,
    url: string,
    changed: readonly string[],
    removed: readonly string[],
  ): Promise<string | undefined> {
    return this.respond(url, changed, (nonce) =>
      stream.sendDelta({
        type_url: url,
        nonce,
        system_version_info: nonce,
        resources: [...this.encoded(url, changed)].map((one) => ({ ...one, version: nonce })),
        removed_resources: removed,
      }),
    );
  }
}

/** A STATIC cluster of one endpoint on 127.0.0.1. */
export function staticCluster(name: string, port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function urlOf(type: string): string {
  return `type.googleapis.com/${type}`;
}
