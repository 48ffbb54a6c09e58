// Requests by route, of all workers together. Each counts for itself, and is asked when somebody looks.

import type { RouteHits } from '../../common/router/route_hits.ts';

/** How many requests the routes of a configuration have had, by place of the route in it. Undefined where no worker has it. */
export type RouteHitCounts = (owner: string, name: string) => Float64Array | undefined;

export function routeHits(workers: Iterable<readonly RouteHits[]>): RouteHitCounts {
  const sums = new Map<string, Float64Array>();
  for (const all of workers) {
    for (const { owner, name, counts } of all) {
      const key = keyOf(owner, name);
      const sum = sums.get(key);
      // Of another length: this worker has an update that others have not applied yet, or the other way round.
      if (sum?.length !== counts.length) sums.set(key, counts);
      else for (const [place, count] of counts.entries()) (sum[place] as number) += count;
    }
  }
  return (owner, name) => sums.get(keyOf(owner, name));
}

function keyOf(owner: string, name: string): string {
  return `${owner}\n${name}`;
}
