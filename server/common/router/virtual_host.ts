// A virtual host at work: require_tls first, then its routes or its match tree. Envoy: VirtualHostImpl in config_impl.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode, Route } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { leaf } from '../matcher/explain.ts';
import type { MatchTree } from '../matcher/match_tree.ts';
import type { HttpMatchingData } from './http_match_inputs.ts';
import type { CompiledRoute } from './route.ts';
import type { RouteList } from './route_list.ts';

export type TlsRequirement = 'NONE' | 'EXTERNAL_ONLY' | 'ALL';

export class VirtualHost {
  readonly name: string;
  readonly requireTls: TlsRequirement;
  readonly sslRedirect: CompiledRoute;
  readonly routes: RouteList;
  readonly matcher: MatchTree<HttpMatchingData, RouteList> | undefined;

  /** `routes` is empty where there is a `matcher`. */
  constructor(
    name: string,
    requireTls: TlsRequirement,
    sslRedirect: CompiledRoute,
    routes: RouteList,
    matcher: MatchTree<HttpMatchingData, RouteList> | undefined,
  ) {
    this.name = name;
    this.requireTls = requireTls;
    this.sslRedirect = sslRedirect;
    this.routes = routes;
    this.matcher = matcher;
    Object.freeze(this);
  }

  /** `path` as in RouteMatch.match. */
  route(path: string, headers: RequestHeaderMap, info: StreamInfo, streamId: number): Route | undefined {
    if (this.requireTls !== 'NONE' && this.needsTls(headers)) return this.sslRedirect;
    const routes = this.matcher === undefined ? this.routes : this.matcher.match({ headers, info });
    return routes?.find(path, headers, info, streamId);
  }

  needsTls(headers: RequestHeaderMap): boolean {
    // What the connection was, not the :scheme of the request line.
    if (headers.get('x-forwarded-proto') === 'https') return false;
    return this.requireTls === 'ALL' || headers.get('x-envoy-internal') !== 'true';
  }

  explain(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): readonly ExplainNode[] {
    const nodes: ExplainNode[] = [];
    if (this.requireTls !== 'NONE') {
      const redirected = this.needsTls(headers);
      const proto = headers.get('x-forwarded-proto') ?? '';
      nodes.push(
        leaf(
          `redirected to https (require_tls ${this.requireTls})`,
          redirected,
          `x-forwarded-proto is '${proto}'`,
        ),
      );
      if (redirected) return nodes;
    }
    if (this.matcher === undefined) return [...nodes, ...this.routes.explain(path, headers, info, streamId)];
    const data = { headers, info };
    nodes.push(this.matcher.explain(data));
    return [...nodes, ...(this.matcher.match(data)?.explain(path, headers, info, streamId) ?? [])];
  }
}
