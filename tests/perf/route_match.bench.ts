// What it costs to find a request's route: in tables of ten routes, of 10,000, among ten virtual hosts and 1,000; how long such a
// table takes to compile, and what it holds. Run: node --expose-gc tests/perf/route_match.bench.ts

import { performance } from 'node:perf_hooks';
import type { RequestHeaderMap } from '../../server/api/http/header_map.ts';
import type { RouteConfig } from '../../server/api/router.ts';
import { compileRouteConfiguration } from '../../server/common/router/route_config.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { request, routeContext, streamInfo } from '../fakes/routes.ts';
import { manyHosts, mixedRoutes, type RouteTable } from './route_tables.ts';

const LOOKUPS = 200_000;
const ROUNDS = 10;
const MB = 1024 * 1024;
const info = streamInfo();

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / MB;
}

/** ns of one lookup. Texts are new with each one, as those that a codec reads. */
function lookupNs(config: RouteConfig, requests: readonly RequestHeaderMap[]): number {
  let best = Number.POSITIVE_INFINITY;
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    for (let i = 0; i < LOOKUPS; i++) {
      if (config.route(requests[(i * 7919) % requests.length], info, i) !== undefined) found++;
    }
    best = Math.min(best, performance.now() - begin);
  }
  if (found !== LOOKUPS * ROUNDS) throw new Error(`${found} of ${LOOKUPS * ROUNDS} found a route`);
  return (best * 1e6) / LOOKUPS;
}

function measure(title: string, table: RouteTable): void {
  const message = fromJson('envoy.config.route.v3.RouteConfiguration', table.config);
  const before = heapMb();
  const begin = performance.now();
  const config = compileRouteConfiguration(message, routeContext(), '');
  const compiled = performance.now() - begin;
  const held = heapMb() - before;
  const requests = table.requests.map(({ path, headers, host }) => request(path, [...headers], host));
  const ns = lookupNs(config, requests).toFixed(0);
  console.log(`${title}: ${ns} ns a lookup; compiled in ${compiled.toFixed(0)} ms, ${held.toFixed(1)} MB`);
}

for (const count of [10, 100, 1000, 10_000]) measure(`${count} routes`, mixedRoutes(count, 'c'));
for (const count of [10, 1000]) measure(`${count} virtual hosts`, manyHosts(count, 'c'));
