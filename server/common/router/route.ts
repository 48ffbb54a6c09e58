// One compiled route: what a request that matched gets. Weighted clusters have one of these per cluster.
// Envoy: RouteEntryImplBase and WeightedClusterEntry in source/common/router.

import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { DirectResponseEntry, Route, RouteEntry } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { RouteTracing } from '../../api/tracing.ts';
import type { HeaderParser } from './header_parser.ts';
import type { PlainStruct } from './metadata.ts';
import type { PerFilterConfigs } from './per_filter_config.ts';
import type { RouteMatch } from './route_match.ts';

/** Cells for routes whose requests nobody asks about: what the main thread compiles, and routes within match trees. */
export const NO_HITS = new Float64Array(1);

export interface RouteSettings {
  readonly name: string;
  readonly virtualHostName: string;
  readonly routeConfigName: string;
  readonly metadata: Readonly<Record<string, PlainStruct>> | undefined;
  readonly virtualHostMetadata: Readonly<Record<string, PlainStruct>> | undefined;
  readonly decoratorOperation: string;
  readonly decoratorPropagate: boolean;
  readonly tracing: RouteTracing | undefined;
  readonly perFilterConfigs: PerFilterConfigs | undefined;
  /** In the order in which they apply. */
  readonly responseParsers: readonly HeaderParser[];
  /** Where its requests are counted, see route_hits.ts. */
  readonly hits: Float64Array;
  readonly place: number;
}

export class CompiledRoute implements Route {
  readonly name: string;
  readonly virtualHostName: string;
  readonly routeConfigName: string;
  readonly routeEntry: RouteEntry | undefined;
  readonly directResponseEntry: DirectResponseEntry | undefined;
  readonly metadata: Readonly<Record<string, PlainStruct>> | undefined;
  readonly virtualHostMetadata: Readonly<Record<string, PlainStruct>> | undefined;
  readonly decoratorOperation: string;
  readonly decoratorPropagate: boolean;
  readonly tracing: RouteTracing | undefined;
  private readonly perFilterConfigs: PerFilterConfigs | undefined;
  private readonly responseParsers: readonly HeaderParser[];
  private readonly hits: Float64Array;
  private readonly place: number;

  constructor(settings: RouteSettings, action: RouteEntry | DirectResponseEntry) {
    this.name = settings.name;
    this.virtualHostName = settings.virtualHostName;
    this.routeConfigName = settings.routeConfigName;
    this.routeEntry = 'clusterName' in action ? action : undefined;
    this.directResponseEntry = 'clusterName' in action ? undefined : action;
    this.metadata = settings.metadata;
    this.virtualHostMetadata = settings.virtualHostMetadata;
    this.decoratorOperation = settings.decoratorOperation;
    this.decoratorPropagate = settings.decoratorPropagate;
    this.tracing = settings.tracing;
    this.perFilterConfigs = settings.perFilterConfigs;
    this.responseParsers = settings.responseParsers;
    this.hits = settings.hits;
    this.place = settings.place;
    Object.freeze(this);
  }

  finalizeResponseHeaders(
    headers: ResponseHeaderMap,
    requestHeaders: RequestHeaderMap,
    info: StreamInfo,
  ): void {
    const parsers = this.responseParsers;
    for (let i = 0; i < parsers.length; i++)
      parsers[i].evaluateResponseHeaders(headers, requestHeaders, info);
  }

  countHit(n: 1 | -1): void {
    this.hits[this.place] += n;
  }

  perFilterConfig(filterName: string): unknown {
    return this.perFilterConfigs?.get(filterName);
  }

  filterDisabled(filterName: string): boolean | undefined {
    return this.perFilterConfigs?.disabled(filterName);
  }
}

/** Several routes, of which a request gets one: weighted clusters, cluster specifier plugins. */
export interface RouteChoice {
  choose(headers: RequestHeaderMap, info: StreamInfo, streamId: number): CompiledRoute | undefined;
}

/** A match and where it leads. */
export class RouteRule {
  readonly match: RouteMatch;
  readonly name: string;
  readonly route: CompiledRoute | undefined;
  readonly choice: RouteChoice | undefined;

  constructor(match: RouteMatch, name: string, target: CompiledRoute | RouteChoice) {
    this.match = match;
    this.name = name;
    this.route = target instanceof CompiledRoute ? target : undefined;
    this.choice = target instanceof CompiledRoute ? undefined : target;
    Object.freeze(this);
  }

  /** The route for a request that matched. */
  choose(headers: RequestHeaderMap, info: StreamInfo, streamId: number): CompiledRoute | undefined {
    return this.route ?? this.choice!.choose(headers, info, streamId);
  }
}
