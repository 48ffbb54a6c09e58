// Load assignments by EDS: checked here, given to the workers by the clusters that use them.
// Envoy: source/extensions/clusters/eds/eds.cc.

import { ConfigError } from '../../api/config_error.ts';
import { checkLoadAssignment } from './load_assignment.ts';
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

  accept(resource: WatchedResource, bytes: Uint8Array): void {
    const assignment = this.#services.decoder.decode(TYPE_NAMES.endpoints, bytes);
    if (assignment.cluster_name !== resource.resourceName) {
      const reason = `Unexpected EDS cluster (expecting ${resource.resourceName}): ${assignment.cluster_name}`;
      throw new ConfigError('cluster_name', reason);
    }
    checkLoadAssignment(assignment, false, '');
  }

  dropped(): void {}
}
