// What is counted of the requests of a virtual cluster or of a route with a stat_prefix, beside what their cluster counts.
// Envoy: VirtualCluster and RouteStatsContext in envoy/router/router.h, source/common/http/codes.cc.

import type { RequestStats } from '../../api/router.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import { VIRTUAL_CLUSTER_STATS } from '../stats/families/router.ts';
import { ResponseCodeStats } from '../stats/response_code_stats.ts';

export class PrefixedRequestStats implements RequestStats {
  private readonly block: StatBlock;
  private readonly codes: ResponseCodeStats;

  /** `prefix` ends with a dot: `vhost.<name>.vcluster.<name>.`, `vhost.<name>.route.<stat_prefix>.` */
  constructor(store: StatStore, prefix: string) {
    this.block = store.block(VIRTUAL_CLUSTER_STATS, prefix);
    this.codes = new ResponseCodeStats(store, prefix);
  }

  count(stat: keyof typeof VIRTUAL_CLUSTER_STATS.offset): void {
    this.block.values[this.block.base + VIRTUAL_CLUSTER_STATS.offset[stat]]++;
  }

  charge(status: number): void {
    this.codes.charge(status);
  }

  recordTime(ms: number): void {
    this.codes.recordTime(ms);
  }
}
