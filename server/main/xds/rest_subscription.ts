// xDS by polling: a POST of a DiscoveryRequest in JSON, again after refresh_delay, one at a time.
// Envoy: source/extensions/config_subscription/rest/http_subscription_impl.cc.

import { fromJson, toJson } from '../../../xds-protos/json.ts';
import { create } from '../../../xds-protos/load.ts';
import { logger } from '../../common/log.ts';
import type { RestSource } from './api_config_source.ts';
import type { ConfigWatch } from './config_watch.ts';
import { fromSotw } from './discovered_resources.ts';
import { DiscoveryError, rejectionMessage } from './discovery_error.ts';
import type { ResourceType } from './resource_types.ts';
import type { RestClient } from './rest_client.ts';
import type { Subscription } from './subscription.ts';

const log = logger('config');
const REQUEST = 'envoy.service.discovery.v3.DiscoveryRequest';
const RESPONSE = 'envoy.service.discovery.v3.DiscoveryResponse';

export class RestSubscription implements Subscription {
  readonly #type: ResourceType;
  readonly #source: RestSource;
  readonly #client: RestClient;
  readonly #node: object;
  readonly #watch: ConfigWatch;
  #names: ReadonlySet<string> | undefined;
  #version = '';
  #timer: NodeJS.Timeout | undefined;
  #abort: AbortController | undefined;
  #closed = false;

  constructor(
    type: ResourceType,
    source: RestSource,
    client: RestClient,
    node: object,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
  ) {
    this.#type = type;
    this.#source = source;
    this.#client = client;
    this.#node = node;
    this.#names = names;
    this.#watch = watch;
    watch.asked();
    this.#timer = setTimeout(() => void this.#poll(), 0);
  }

  /** The next poll asks for them. */
  updateResourceInterest(names: ReadonlySet<string> | undefined): void {
    this.#names = names;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#watch.close();
  }

  async #poll(): Promise<void> {
    this.#abort = new AbortController();
    try {
      const body = await this.#client.post(
        this.#type.restPath!,
        JSON.stringify(this.#request()),
        AbortSignal.any([this.#abort.signal, AbortSignal.timeout(this.#source.requestTimeoutMs)]),
      );
      if (this.#closed) return;
      if (body !== undefined) this.#onBody(body);
    } catch (error) {
      if (this.#closed) return;
      const details = error instanceof Error ? error.message : String(error);
      log.warning(`REST update for ${this.#type.restPath} failed: ${details}`);
      this.#watch.failed('connection', details);
    }
    // As much again at random, so that a fleet does not poll in step.
    const waitMs = this.#source.refreshDelayMs * (1 + Math.random());
    this.#timer = setTimeout(() => void this.#poll(), waitMs);
  }

  #request(): unknown {
    const request = create(REQUEST, {
      version_info: this.#version,
      node: this.#node,
      resource_names: [...(this.#names ?? [])],
      type_url: this.#type.typeUrl,
    });
    return toJson(REQUEST, request);
  }

  #onBody(body: string): void {
    const error = this.#apply(body);
    if (error !== undefined) log.warning(`REST config for ${this.#type.typeUrl} rejected: ${error}`);
  }

  /** Why it was refused. */
  #apply(body: string): string | undefined {
    try {
      const response = fromJson(RESPONSE, JSON.parse(body), { unknownFields: [] });
      const { added, rejected } = fromSotw(response.resources, this.#type, response.version_info);
      const wanted = added.filter(({ name }) => this.#names === undefined || this.#names.has(name));
      const refused = this.#watch.update(wanted, [], this.#type.fullState, response.version_info);
      const message = rejectionMessage(this.#type, [...rejected, ...refused]);
      if (message === undefined) this.#version = response.version_info;
      return message;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!(error instanceof DiscoveryError)) log.debug(`REST response: ${reason}`);
      this.#watch.failed('rejected', reason);
      return reason;
    }
  }
}
