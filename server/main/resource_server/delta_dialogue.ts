// The server's side of incremental ADS. https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol

import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { resourceType } from '../xds/resource_types.ts';
import { type Dialogue, Session } from './session.ts';
import { resourcesOf, type Snapshot } from './snapshot.ts';

interface TypeWatch {
  wildcard: boolean;
  readonly names: Set<string>;
  /** Versions that the client has. */
  readonly sent: Map<string, string>;
  /** Asked for and not there: to be said once. */
  readonly missing: Set<string>;
  nonce: string;
  /** A wildcard gets an answer even when there is nothing. */
  answerDue: boolean;
}

export class DeltaDialogue implements Dialogue {
  readonly session: Session;
  readonly #send: (response: Init<DeltaDiscoveryResponse>) => void;
  readonly #watches = new Map<string, TypeWatch>();
  #nonces = 0;

  constructor(snapshot: Snapshot, send: (response: Init<DeltaDiscoveryResponse>) => void) {
    this.#send = send;
    this.session = new Session(this, snapshot);
  }

  onRequest(request: DeltaDiscoveryRequest): void {
    const typeUrl = resourceType(request.type_url).typeUrl;
    const watch = this.#watch(typeUrl, request);
    if (request.error_detail !== undefined) this.session.onRejected(typeUrl, request.error_detail.message);
    if (request.response_nonce !== '' && request.response_nonce === watch.nonce) {
      this.session.onAnswered(typeUrl);
    }
    for (const name of request.resource_names_subscribe) {
      if (name === '*') watch.wildcard = watch.answerDue = true;
      else {
        watch.names.add(name);
        watch.missing.add(name);
      }
    }
    for (const name of request.resource_names_unsubscribe) {
      if (name === '*') watch.wildcard = false;
      watch.names.delete(name);
      watch.sent.delete(name);
      watch.missing.delete(name);
    }
    this.push(typeUrl, this.session.view);
  }

  push(typeUrl: string, snapshot: Snapshot): boolean {
    const watch = this.#watches.get(typeUrl);
    if (watch === undefined) return false;
    const resources = resourcesOf(snapshot, typeUrl);
    const added = [...resources.values()].filter(
      ({ name, version }) => (watch.wildcard || watch.names.has(name)) && watch.sent.get(name) !== version,
    );
    const removed = new Set([...watch.sent.keys(), ...watch.missing].filter((name) => !resources.has(name)));
    watch.missing.clear();
    if (added.length === 0 && removed.size === 0 && !watch.answerDue) return false;
    watch.answerDue = false;
    for (const { name, version } of added) watch.sent.set(name, version);
    for (const name of removed) watch.sent.delete(name);
    watch.nonce = String(++this.#nonces);
    this.#send({
      type_url: typeUrl,
      nonce: watch.nonce,
      resources: added.map(({ name, version, any }) => ({ name, version, resource: any })),
      removed_resources: [...removed],
      control_plane: { identifier: 'pilotfish-resources' },
    });
    return true;
  }

  #watch(typeUrl: string, request: DeltaDiscoveryRequest): TypeWatch {
    let watch = this.#watches.get(typeUrl);
    if (watch === undefined) {
      const wildcard = request.resource_names_subscribe.length === 0;
      watch = {
        wildcard,
        names: new Set(),
        sent: new Map(Object.entries(request.initial_resource_versions)),
        missing: new Set(),
        nonce: '',
        answerDue: wildcard,
      };
      this.#watches.set(typeUrl, watch);
    }
    return watch;
  }
}
