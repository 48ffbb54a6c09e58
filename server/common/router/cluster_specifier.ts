// Cluster specifier plugins: what chooses a cluster for each request in place of the route's own words. There is one, which asks a
// match tree. Envoy: source/extensions/router/cluster_specifiers/matcher/matcher_cluster_specifier.cc.

import type {
  ClusterSpecifierPlugin,
  RouteAction,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type {
  ClusterAction,
  MatcherClusterSpecifier,
} from '../../../xds-protos/generated/envoy/extensions/router/cluster_specifiers/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileMatchTree, type MatchTree } from '../matcher/match_tree.ts';
import { compileHttpMatchInput, type HttpMatchingData } from './http_match_inputs.ts';

const CATEGORY = 'envoy.router.cluster_specifier_plugin';
const CLUSTER_ACTION = 'envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction';

/** One target for each cluster that the tree can lead to. */
export class MatcherClusterChoice<Target> {
  private readonly tree: MatchTree<HttpMatchingData, Target> | undefined;
  /** Where it leads nowhere. */
  private readonly fallback: Target | undefined;

  constructor(tree: MatchTree<HttpMatchingData, Target> | undefined, fallback: Target | undefined) {
    this.tree = tree;
    this.fallback = fallback;
  }

  choose(headers: RequestHeaderMap, info: StreamInfo): Target | undefined {
    return this.tree?.match({ headers, info }) ?? this.fallback;
  }
}

/** The plugin of an action: written into it, or one of the RouteConfiguration's `plugins`. Throws ConfigError. */
export function clusterSpecifierOf(
  action: RouteAction,
  plugins: readonly ClusterSpecifierPlugin[],
  path: string,
): ClusterSpecifierPlugin {
  if (action.inline_cluster_specifier_plugin !== undefined) return action.inline_cluster_specifier_plugin;
  const name = action.cluster_specifier_plugin ?? '';
  const plugin = plugins.find(({ extension }) => extension?.name === name);
  if (plugin !== undefined) return plugin;
  const reason = `Unknown cluster specifier plugin name: ${name} is used in the route`;
  throw new ConfigError(at(path, 'cluster_specifier_plugin'), reason);
}

/** `targetOf` makes the target for a cluster; '' is for requests that no cluster is chosen for. Throws ConfigError. */
export function compileClusterSpecifier<Target>(
  { extension, is_optional: optional }: ClusterSpecifierPlugin,
  targetOf: (cluster: string) => Target,
  context: FactoryContext,
  path: string,
): MatcherClusterChoice<Target> {
  const where = at(path, 'extension.typed_config');
  const config = resolve();
  // Of an optional plugin that is not known there is no route.
  if (config?.cluster_matcher === undefined) return new MatcherClusterChoice<Target>(undefined, undefined);
  const tree = compileMatchTree(
    config.cluster_matcher,
    { input: compileHttpMatchInput, action: compileAction, context },
    at(where, 'cluster_matcher'),
  );
  return new MatcherClusterChoice(tree, targetOf(''));

  /** Undefined for an optional plugin that is not known here. */
  function resolve(): MatcherClusterSpecifier | undefined {
    try {
      const { name = '', typed_config } = extension ?? {};
      const resolved = context.registry.resolve(CATEGORY, name, typed_config, where);
      return resolved.factory.compile(resolved.config, context, where) as MatcherClusterSpecifier;
    } catch (error) {
      if (optional && error instanceof ConfigError && error.reason.startsWith("Didn't find"))
        return undefined;
      throw error;
    }
  }

  function compileAction(
    {
      name,
      typed_config,
    }: { readonly name: string; readonly typed_config?: Parameters<typeof decodeAny>[0] },
    inside: string,
  ): Target {
    if (typed_config === undefined) throw new ConfigError(inside, 'typed_config is required');
    const { typeName, message } = decodeAny(typed_config, inside);
    if (typeName === CLUSTER_ACTION) return targetOf((message as unknown as ClusterAction).cluster);
    throw new ConfigError(
      inside,
      `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`,
    );
  }
}
