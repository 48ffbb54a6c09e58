// The server's side of state-of-the-world ADS. https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol

import type {
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { resourceType } from '../xds/resource_types.ts';
import type { ServedResource } from './resource_file.ts';
import { type Dialogue, Session } from './session.ts';
import { resourcesOf, type Snapshot, versionOf } from './snapshot.ts';

interface TypeWatch {
  /** Undefined is the wildcard. */
  names: ReadonlySet<string> | undefined;
  nonce: string;
  version: string | undefined;
}

export class SotwDialogue implements Dialogue {
  readonly session: Session;
  readonly #send: (response: Init<DiscoveryResponse>) => void;
  readonly #watches = new Map<string, TypeWatch>();
  #nonces = 0;

  constructor(snapshot: Snapshot, send: (response: Init<DiscoveryResponse>) => void) {
    this.#send = send;
    this.session = new Session(this, snapshot);
  }

  onRequest(request: DiscoveryRequest): void {
    const typeUrl = resourceType(request.type_url).typeUrl;
    const watch = this.#watch(typeUrl, request);
    if (request.error_detail !== undefined) this.session.onRejected(typeUrl, request.error_detail.message);
    if (request.response_nonce !== '') {
      // An answer to a response that another one has overtaken.
      if (request.response_nonce !== watch.nonce) return;
      this.session.onAnswered(typeUrl);
    }
    if (request.resource_names.length > 0) watch.names = new Set(request.resource_names);
    else if (watch.names !== undefined) watch.names = new Set();
    if (request.error_detail === undefined) this.push(typeUrl, this.session.view);
  }

  push(typeUrl: string, snapshot: Snapshot): boolean {
    const watch = this.#watches.get(typeUrl);
    if (watch === undefined) return false;
    const resources = wanted(resourcesOf(snapshot, typeUrl), watch.names);
    const version = versionOf(resources);
    const nothingNew = version === watch.version || (resources.length === 0 && watch.names !== undefined);
    if (nothingNew) return false;
    watch.version = version;
    watch.nonce = String(++this.#nonces);
    this.#send({
      type_url: typeUrl,
      version_info: version,
      nonce: watch.nonce,
      resources: resources.map(({ any }) => any),
      control_plane: { identifier: 'pilotfish-resources' },
    });
    return true;
  }

  #watch(typeUrl: string, request: DiscoveryRequest): TypeWatch {
    let watch = this.#watches.get(typeUrl);
    if (watch === undefined) {
      const wildcard = request.resource_names.length === 0;
      watch = { names: wildcard ? undefined : new Set(), nonce: '', version: undefined };
      this.#watches.set(typeUrl, watch);
    }
    return watch;
  }
}

function wanted(
  resources: ReadonlyMap<string, ServedResource>,
  names: ReadonlySet<string> | undefined,
): ServedResource[] {
  if (names === undefined || names.has('*')) return [...resources.values()];
  return [...names].flatMap((name) => resources.get(name) ?? []);
}
