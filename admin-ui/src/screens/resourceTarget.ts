// Which screen shows a resource best.

import type { ResourceKind } from '../api/types.ts';
import type { Target } from '../components/ScreenLink.tsx';

const TARGETS: Readonly<Record<ResourceKind, (name: string) => Target>> = {
  cluster: (name) => ({ screen: '/clusters', params: { cluster: name } }),
  endpoints: (name) => ({ screen: '/clusters', params: { cluster: name } }),
  listener: (name) => ({ screen: '/listeners', params: { listener: name } }),
  route: (name) => ({ screen: '/routes', params: { route_config: name } }),
  secret: (name) => ({ screen: '/secrets', params: { secret: name } }),
  extension: (name) => ({ screen: '/config', params: { kind: 'extension', name } }),
};

/** Where a resource is looked at. */
export function resourceTarget(kind: ResourceKind, name: string): Target {
  return TARGETS[kind](name);
}
