// The outlier detection of one cluster, with what it needs of the store: stats, workers to tell, and names for the event log.

import type { StatBlock, StatStore } from '../../api/stats.ts';
import { CLUSTER_OUTLIER_DETECTION_STATS } from '../../common/stats/families/cluster.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import type { OutlierDetectionConfig } from '../../common/upstream/outlier_detection_config.ts';
import type { ClusterRecord } from '../config_store/cluster_store.ts';
import { currentAssignment } from '../config_store/endpoints_dump.ts';
import type { StoreServices } from '../config_store/services.ts';
import type { HostMonitor } from './host_monitor.ts';
import { OutlierDetector } from './outlier_detector.ts';
import type { EventSubject } from './outlier_event_logger.ts';

export class ClusterOutliers {
  readonly detector: OutlierDetector;
  readonly #record: ClusterRecord;
  readonly #stats: StatStore;
  readonly #block: StatBlock;

  /** `prefix` is `cluster.<name>.`. */
  constructor(
    record: ClusterRecord,
    config: OutlierDetectionConfig,
    prefix: string,
    { stats, environment, hostSlots, outlierLog }: StoreServices,
  ) {
    this.#record = record;
    this.#stats = stats;
    this.#block = stats.block(CLUSTER_OUTLIER_DETECTION_STATS, `${prefix}outlier_detection.`);
    this.detector = new OutlierDetector({
      config,
      runtime: environment.runtime,
      stats: this.#block,
      table: hostSlots.table,
      events: {
        onHealthChange: () => record.health?.changed(),
        onEject: (slot, monitor, type, enforced, rates) =>
          outlierLog?.logEject(this.#subject(slot, monitor), type, enforced, rates),
        onUneject: (slot, monitor) => outlierLog?.logUneject(this.#subject(slot, monitor)),
      },
    });
  }

  close(): void {
    this.detector.close();
    this.#stats.release(this.#block);
  }

  #subject(slot: number, monitor: HostMonitor): EventSubject {
    const { endpoints } = compileLoadAssignment(currentAssignment(this.#record), '');
    const address = endpoints[this.#record.hostSlots.indexOf(slot)]?.address;
    return { clusterName: this.#record.name, upstreamUrl: address?.text ?? '', monitor };
  }
}
