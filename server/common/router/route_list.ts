// Routes in their order; the first that matches wins. A short list is walked, a long one has an index.
// Envoy: getRouteFromRoutes in source/common/router/config_impl.cc.

import { createRequire } from 'node:module';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { CompiledRoute, RouteRule } from './route.ts';
import type { RouteIndex } from './route_index.ts';

// Loaded with the first long list.
const require = createRequire(import.meta.url);

/** Shorter lists are walked faster than an index is asked. */
const INDEX_FROM = 16;

export class RouteList {
  readonly rules: readonly RouteRule[];
  /** In the match tree of the virtual host: `matcher.on_no_match.action`. '' for its own routes. */
  readonly place: string;
  /** Undefined for a short list, as is what follows. */
  private readonly index: RouteIndex | undefined;
  /** Of the rules that have one route each: one object less on the way of a request. */
  private readonly routes: readonly (CompiledRoute | undefined)[] | undefined;

  constructor(rules: readonly RouteRule[], place: string) {
    this.rules = rules;
    this.place = place;
    const isLong = rules.length >= INDEX_FROM;
    this.index = isLong ? indexOf(rules) : undefined;
    this.routes = isLong ? rules.map(({ route }) => route) : undefined;
    Object.freeze(this);
  }

  /** `path` as in RouteMatch.match. */
  find(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): CompiledRoute | undefined {
    const rules = this.rules;
    if (this.index !== undefined) {
      const place = this.index.find(path, headers, info, streamId);
      if (place === rules.length) return undefined;
      return this.routes![place] ?? rules[place].choose(headers, info, streamId);
    }
    for (let i = 0; i < rules.length; i++) {
      if (rules[i].match.match(path, headers, info, streamId))
        return rules[i].choose(headers, info, streamId);
    }
    return undefined;
  }

  /** Every rule up to and with the one that matches. */
  explain(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): readonly ExplainNode[] {
    const nodes: ExplainNode[] = [];
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i];
      const what = rule.name === '' ? `route ${i}` : `route ${i} '${rule.name}'`;
      const node = rule.match.explain(path, headers, info, streamId, what);
      nodes.push(node);
      if (node.matched) break;
    }
    return nodes;
  }
}

function indexOf(rules: readonly RouteRule[]): RouteIndex {
  const { RouteIndex } = require('./route_index.ts') as typeof import('./route_index.ts');
  return new RouteIndex(rules.map(({ match }) => match));
}
