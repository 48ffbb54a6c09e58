// envoy.retry_host_predicates.previous_hosts: a retry goes to another host. The settings are empty, the router does the work.
// Envoy: source/extensions/retry/host/previous_hosts.

import type { SettingsFactory } from '../../../../api/registry.ts';

export const previousHostsFactory: SettingsFactory = {
  compile: () => Object.freeze({}),
};
