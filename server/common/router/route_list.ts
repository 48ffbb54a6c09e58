// Routes in their order; the first that matches wins. A long list finds its exact paths by a map, and walks only the others.
// Envoy: getRouteFromRoutes in source/common/router/config_impl.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { CompiledRoute, RouteRule } from './route.ts';

/** Shorter lists are walked faster than a map is asked. */
const INDEX_FROM = 16;
const NONE: readonly number[] = Object.freeze([]);

export class RouteList {
  private readonly rules: readonly RouteRule[];
  /** Places of the rules that match one exact path, ascending; empty map when the list is short. */
  private readonly byExactPath: ReadonlyMap<string, readonly number[]>;
  /** Places of all other rules. */
  private readonly others: readonly number[];

  constructor(rules: readonly RouteRule[]) {
    this.rules = rules;
    const byExactPath = new Map<string, number[]>();
    const others: number[] = [];
    rules.forEach((rule, place) => {
      const path = rule.match.path;
      if (rules.length < INDEX_FROM || !path.indexable) others.push(place);
      else if (byExactPath.has(path.text)) byExactPath.get(path.text)!.push(place);
      else byExactPath.set(path.text, [place]);
    });
    this.byExactPath = byExactPath;
    this.others = others;
    Object.freeze(this);
  }

  /** `path` as in RouteMatch.match. */
  find(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): CompiledRoute | undefined {
    if (this.byExactPath.size > 0) return this.findByIndex(path, headers, info, streamId);
    const rules = this.rules;
    for (let i = 0; i < rules.length; i++) {
      if (rules[i].match.match(path, headers, info, streamId))
        return rules[i].choose(headers, info, streamId);
    }
    return undefined;
  }

  private findByIndex(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): CompiledRoute | undefined {
    const { rules, others } = this;
    const exact = this.byExactPath.get(path) ?? NONE;
    // Both are ascending: merging them keeps the configured order.
    let nextExact = 0;
    let nextOther = 0;
    while (nextExact < exact.length || nextOther < others.length) {
      const isExact =
        nextOther >= others.length || (nextExact < exact.length && exact[nextExact] < others[nextOther]);
      const rule = rules[isExact ? exact[nextExact++] : others[nextOther++]];
      if (rule.match.match(path, headers, info, streamId)) return rule.choose(headers, info, streamId);
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
