// envoy.retry_host_predicates.omit_canary_hosts: a retry goes to no canary.
// Envoy: source/extensions/retry/host/omit_canary_hosts.

import type { SettingsFactory } from '../../../../api/registry.ts';
import type { RetryHostPredicate } from '../../../../api/router.ts';
import type { HostDescription } from '../../../../api/upstream/host.ts';

/** What endpoints say in their metadata. Envoy: MetadataFilters::ENVOY_LB and MetadataEnvoyLbKeys::CANARY. */
const OMIT_CANARY_HOSTS: RetryHostPredicate = Object.freeze({
  shouldSelectAnotherHost: ({ metadata }: HostDescription) => metadata?.['envoy.lb']?.canary === true,
});

export const omitCanaryHostsFactory: SettingsFactory = {
  compile: () => OMIT_CANARY_HOSTS,
};
