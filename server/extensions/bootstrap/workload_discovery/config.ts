// envoy.bootstrap.workload_discovery, which istiod's agents name `metadata_discovery`: where the workloads of the mesh come
// from. Istio: extensions/common/workload_discovery (WorkloadDiscoveryFactory).

import type { ConfigSource } from '../../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { BootstrapExtension } from '../../../../xds-protos/generated/istio/workload.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';

export class WorkloadDiscovery {
  readonly configSource: ConfigSource;
  /** Where the source stands in the bootstrap. */
  readonly path: string;

  constructor(configSource: ConfigSource, path: string) {
    this.configSource = configSource;
    this.path = path;
  }
}

export const workloadDiscoveryFactory: SettingsFactory<BootstrapExtension> = {
  compile({ config_source: source }, _context, path): WorkloadDiscovery {
    const where = at(path, 'config_source');
    if (source === undefined) throw new ConfigError(where, 'value is required');
    return new WorkloadDiscovery(source, where);
  },
};
