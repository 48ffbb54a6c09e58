// From the resources of a response to what consumers get: names, Resource wrappers, types, duplicates.
// Envoy: source/common/config/decoded_resource_impl.h.

import type { Resource } from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Any } from '../../../xds-protos/generated/google/protobuf.ts';
import { decode, typeNameOf } from '../../../xds-protos/load.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { ConfigError } from '../../api/config_error.ts';
import { DiscoveryError } from './discovery_error.ts';
import type { ResourceType } from './resource_types.ts';
import { resourceName } from './resource_types.ts';
import type { DiscoveredResource, RejectedResource } from './subscription.ts';

const RESOURCE = 'envoy.service.discovery.v3.Resource';

const NO_ALIASES: readonly string[] = Object.freeze([]);
const NOTHING = new Uint8Array();

/** The resources of one response. */
export interface DiscoveredResources {
  readonly added: readonly DiscoveredResource[];
  /** Resources without a body: those that have them live on. */
  readonly heartbeats: readonly { readonly name: string; readonly ttlMs: number }[];
  /** Resources that never reach a consumer. */
  readonly rejected: readonly RejectedResource[];
}

/** The resources of a DiscoveryResponse. Throws DiscoveryError where a type is not the response's or a resource has no readable name. */
export function fromSotw(
  resources: readonly Any[],
  type: ResourceType,
  version: string,
): DiscoveredResources {
  const gather = new Gatherer(type);
  for (const [index, any] of resources.entries()) {
    if (typeNameOf(any.type_url) !== RESOURCE) gather.add(index, '', any, version, 0);
    else gather.addWrapper(index, any, version);
  }
  return gather;
}

/** The resources of a DeltaDiscoveryResponse. Throws DiscoveryError for a wrong type or a name that comes twice. */
export function fromDelta(resources: readonly Resource[], type: ResourceType): DiscoveredResources {
  const seen = new Set<string>();
  const gather = new Gatherer(type);
  for (const [index, resource] of resources.entries()) {
    if (seen.has(resource.name)) {
      throw new DiscoveryError(`duplicate name ${resource.name} found among added/updated resources`);
    }
    seen.add(resource.name);
    gather.addResource(index, resource, resource.version);
  }
  return gather;
}

class Gatherer implements DiscoveredResources {
  readonly added: DiscoveredResource[] = [];
  readonly heartbeats: { name: string; ttlMs: number }[] = [];
  readonly rejected: RejectedResource[] = [];
  readonly #type: ResourceType;
  readonly #names = new Set<string>();

  constructor(type: ResourceType) {
    this.#type = type;
  }

  addWrapper(index: number, any: Any, version: string): void {
    this.addResource(
      index,
      readable(index, () => decode(RESOURCE, any.value)),
      version,
    );
  }

  addResource(index: number, resource: Resource, version: string): void {
    const ttlMs = durationMs(resource.ttl) ?? 0;
    const { name, aliases } = resource;
    if (resource.resource !== undefined) this.add(index, name, resource.resource, version, ttlMs, aliases);
    else if (this.#type.namespaces)
      this.added.push({ name, typeUrl: this.#type.typeUrl, version, bytes: NOTHING, aliases, ttlMs });
    else this.heartbeats.push({ name, ttlMs });
  }

  /** `wrapperName` is the Resource's, '' without one: then the body names itself. */
  add(
    index: number,
    wrapperName: string,
    any: Any,
    version: string,
    ttlMs: number,
    aliases: readonly string[] = NO_ALIASES,
  ): void {
    if (typeNameOf(any.type_url) !== typeNameOf(this.#type.typeUrl)) {
      throw new DiscoveryError(
        `${any.type_url} does not match the message-wide type URL ${this.#type.typeUrl} in DiscoveryResponse`,
      );
    }
    const name = wrapperName || readable(index, () => resourceName(this.#type, any.value));
    if (this.#names.has(name)) {
      this.rejected.push({ name, path: '', reason: `duplicate ${this.#type.label} ${name} found` });
      return;
    }
    this.#names.add(name);
    this.added.push({ name, typeUrl: this.#type.typeUrl, version, bytes: any.value, aliases, ttlMs });
  }
}

/** A resource whose name cannot be read refuses the whole response: nobody could tell which one it leaves out. */
function readable<T>(index: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) throw new DiscoveryError(`resources[${index}]: ${error.message}`);
    throw error;
  }
}
