// envoy.retry_host_predicates.omit_host_metadata: a retry goes to no host whose metadata has all these values.
// Envoy: source/extensions/retry/host/omit_host_metadata.

import type { OmitHostMetadataConfig } from '../../../../../xds-protos/generated/envoy/extensions/retry/host/omit_host_metadata/v3.ts';
import { structToJson } from '../../../../../xds-protos/well_known.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import type { RetryHostPredicate } from '../../../../api/router.ts';
import type { HostDescription } from '../../../../api/upstream/host.ts';

const LB_METADATA = 'envoy.lb';

class OmitHostMetadata implements RetryHostPredicate {
  /** Name and value as JSON text. Empty: no host is left out. */
  private readonly labels: readonly (readonly [string, string])[];

  constructor(wanted: Readonly<Record<string, unknown>>) {
    this.labels = Object.entries(wanted).map(([name, value]) => [name, JSON.stringify(value)]);
  }

  shouldSelectAnotherHost({ metadata }: HostDescription): boolean {
    const of = metadata?.[LB_METADATA];
    if (of === undefined || this.labels.length === 0) return false;
    return this.labels.every(([name, wanted]) => {
      const value = of[name];
      // A list says that the host is each of these.
      if (Array.isArray(value)) return value.some((one) => JSON.stringify(one) === wanted);
      return JSON.stringify(value) === wanted;
    });
  }
}

export const omitHostMetadataFactory: SettingsFactory<OmitHostMetadataConfig> = {
  compile({ metadata_match: match }) {
    const struct = match?.filter_metadata[LB_METADATA];
    return Object.freeze(new OmitHostMetadata(struct === undefined ? {} : structToJson(struct)));
  },
};
