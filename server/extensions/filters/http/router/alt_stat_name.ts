// x-envoy-upstream-alt-stat-name: a client inside has its requests counted once more below `cluster.<name>.<what it says>.`.
// Envoy: Filter::chargeUpstreamCode in source/common/router/router.cc, CodeStatsImpl in source/common/http/codes.cc.

import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { RequestStats, RouteEntry } from '../../../../api/router.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { ResponseCodeStats } from '../../../../common/stats/response_code_stats.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';

/** Counts for nobody. */
export const NOWHERE_ELSE: readonly RequestStats[] = [];

const HEADER = 'x-envoy-upstream-alt-stat-name';

class AltStats implements RequestStats {
  private readonly all: ResponseCodeStats;
  private readonly part: ResponseCodeStats;
  private readonly canary: () => ResponseCodeStats;

  constructor(all: ResponseCodeStats, part: ResponseCodeStats, canary: () => ResponseCodeStats) {
    this.all = all;
    this.part = part;
    this.canary = canary;
  }

  /** Of attempts and retries the cluster alone counts. */
  count(): void {}

  charge(status: number): void {
    this.all.charge(status);
    this.part.charge(status);
  }

  recordTime(ms: number): void {
    this.all.recordTime(ms);
    this.part.recordTime(ms);
  }

  chargeCanary(status: number, ms: number): void {
    const canary = this.canary();
    canary.charge(status);
    canary.recordTime(ms);
  }
}

/** Who counts the request beside its cluster. The header goes no further. */
export function requestStatsOf(
  entry: RouteEntry,
  headers: RequestHeaderMap,
  info: StreamInfo,
  cluster: ThreadLocalCluster,
  dynamicStats: boolean,
): readonly RequestStats[] {
  const stats = entry.requestStats(headers, info);
  const name = headers.get(HEADER);
  if (name === undefined) return stats;
  headers.remove(HEADER);
  if (name === '' || !dynamicStats) return stats;
  const part = headers.get('x-envoy-internal') === 'true' ? 'internal' : 'external';
  const alt = new AltStats(
    cluster.altResponseCodes(`${name}.`),
    cluster.altResponseCodes(`${name}.${part}.`),
    () => cluster.altResponseCodes(`${name}.canary.`),
  );
  return [...stats, alt];
}
