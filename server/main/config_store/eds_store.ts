// Load assignments by EDS: checked here, given to the workers by the clusters that use them.
// Envoy: source/extensions/clusters/eds/eds.cc.

import { ConfigError } from '../../api/config_error.ts';
import { PlainEndpoints } from '../../common/upstream/plain_endpoints.ts';
import { checkLoadAssignment, checkPlainEndpoints } from './load_assignment.ts';
import { TYPE_NAMES } from './resource.ts';
import type { StoreServices } from './services.ts';
import type { WatchedKind, WatchedResource } from './watched_resources.ts';

export class EdsStore implements WatchedKind {
  readonly kind = 'endpoints';
  readonly #services: StoreServices;

  constructor(services: StoreServices) {
    this.#services = services;
  }

  statPrefix(name: string): string {
    return `cluster.${name.replaceAll(':', '_')}.`;
  }

  /** The endpoints, where they are plain. */
  accept(resource: WatchedResource, bytes: Uint8Array): PlainEndpoints | undefined {
    const plain = PlainEndpoints.read(bytes);
    const checked = plain !== undefined && checkPlainEndpoints(plain);
    const assignment = this.#services.decoder.decode(
      TYPE_NAMES.endpoints,
      checked ? plain.shellBytes : bytes,
    );
    if (assignment.cluster_name !== resource.resourceName) {
      const reason = `Unexpected EDS cluster (expecting ${resource.resourceName}): ${assignment.cluster_name}`;
      throw new ConfigError('cluster_name', reason);
    }
    checkLoadAssignment(assignment, false, '');
    return checked ? plain : undefined;
  }

  dropped(): void {}
}
