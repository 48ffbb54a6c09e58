// All workloads of the mesh by address, as a worker keeps them: compiled when they come, found with one lookup.
// Istio: extensions/common/workload_discovery (ThreadLocalProvider, convert).

import type { Workload } from '../../../xds-protos/generated/istio/workload.ts';
import type { Address } from '../../api/stream_info.ts';
import type { WorkloadMetadataProvider } from '../../api/workload_metadata.ts';
import { WorkloadMetadata } from './workload_metadata.ts';

/** Texts that are kept to be shared; names of workloads come and go, so the table begins anew when it is full. */
const MAX_TEXTS = 65_536;

const TYPES: Readonly<Record<string, string>> = { CRONJOB: 'cronjob', JOB: 'job', POD: 'pod' };

export class WorkloadIndex implements WorkloadMetadataProvider {
  private readonly byAddress = new Map<string, WorkloadMetadata>();
  /** Pods of a deployment share everything but name and address: their texts are one object each. */
  private readonly texts = new Map<string, string>();

  getMetadata({ ip }: Address): WorkloadMetadata | undefined {
    return this.byAddress.get(ip);
  }

  /** `addresses`: IP addresses as `Address.ip` has them. */
  set(addresses: readonly string[], workload: Workload): void {
    const metadata = this.compile(workload);
    for (const address of addresses) this.byAddress.set(address, metadata);
  }

  delete(address: string): void {
    this.byAddress.delete(address);
  }

  /** What a workload leaves out has its default: `default`, `cluster.local`, a deployment. */
  private compile(workload: Workload): WorkloadMetadata {
    const namespaceName = this.shared(workload.namespace || 'default');
    const trustDomain = workload.trust_domain || 'cluster.local';
    const account = workload.service_account || 'default';
    const canonicalName = this.shared(workload.canonical_name);
    const canonicalRevision = this.shared(workload.canonical_revision);
    return new WorkloadMetadata({
      instanceName: workload.name,
      clusterName: this.shared(workload.cluster_id),
      namespaceName,
      workloadName: this.shared(workload.workload_name),
      canonicalName,
      canonicalRevision,
      appName: canonicalName,
      appVersion: canonicalRevision,
      workloadType: TYPES[workload.workload_type] ?? 'deployment',
      identity: this.shared(`spiffe://${trustDomain}/ns/${namespaceName}/sa/${account}`),
      region: this.shared(workload.locality?.region ?? ''),
      zone: this.shared(workload.locality?.zone ?? ''),
    });
  }

  private shared(text: string): string {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    if (this.texts.size >= MAX_TEXTS) this.texts.clear();
    this.texts.set(text, text);
    return text;
  }
}
