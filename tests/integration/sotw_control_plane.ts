// The control plane for tests in the other dialect of xDS: state of the world. Listeners and clusters always come all
// together, the rest as it was asked for.

import type { DiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { type FakeStream, FakeXdsServer } from '../xds/fake_server.ts';
import { ControlPlaneBase } from './control_plane.ts';

export class SotwControlPlane extends ControlPlaneBase<DiscoveryRequest> {
  protected readonly apiType = 'GRPC';

  constructor(server: FakeXdsServer<DiscoveryRequest>) {
    super(server);
    server.onRequest = (request, stream) => this.#onRequest(request, stream);
  }

  static async start(): Promise<SotwControlPlane> {
    return new SotwControlPlane(await FakeXdsServer.sotw());
  }

  #onRequest(request: DiscoveryRequest, stream: FakeStream<DiscoveryRequest>): void {
    const { type_url: url, response_nonce: nonce, resource_names: names } = request;
    this.answered(nonce, request.error_detail?.message);
    if (!this.resources.has(url)) return;
    let interests = this.interests.get(stream);
    if (interests === undefined) this.interests.set(stream, (interests = new Map()));
    const before = interests.get(url);
    const isFirst = !interests.has(url);
    interests.set(url, names.length === 0 && (isFirst || before === undefined) ? undefined : new Set(names));
    const added = names.filter((name) => before?.has(name) !== true);
    if (isFirst || added.length > 0) void this.send(stream, url, added);
  }

  protected send(
    stream: FakeStream<DiscoveryRequest>,
    url: string,
    changed: readonly string[],
  ): Promise<string | undefined> {
    const wildcard = this.interests.get(stream)?.get(url) === undefined;
    const names = wildcard ? [...this.resources.get(url)!.keys()] : changed;
    return this.respond(url, names, (nonce) =>
      stream.sendSotw({
        type_url: url,
        nonce,
        version_info: nonce,
        resources: [...this.encoded(url, names)].map(({ resource }) => resource),
      }),
    );
  }
}
