// RequestMirrorPolicy of envoy.config.route.v3, compiled. Envoy: ShadowPolicyImpl in source/common/router/config_impl.cc.

import type { RouteAction_RequestMirrorPolicy } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ShadowPolicy } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { checkFields } from './handled_fields.ts';
import { compileHeaderMutations, type HeaderMutations } from './header_mutations.ts';
import { compileRuntimeFraction, type RuntimeFraction } from './runtime_fraction.ts';

class CompiledShadowPolicy implements ShadowPolicy {
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly traceSampled: boolean | undefined;
  readonly disableShadowHostSuffix: boolean;
  readonly hostRewriteLiteral: string;
  private readonly mutations: HeaderMutations;
  private readonly runtimeFraction: RuntimeFraction | undefined;

  constructor(
    config: RouteAction_RequestMirrorPolicy,
    mutations: HeaderMutations,
    fraction: RuntimeFraction | undefined,
  ) {
    this.cluster = config.cluster;
    this.clusterHeader = headerName(config.cluster_header);
    this.traceSampled = config.trace_sampled?.value;
    this.disableShadowHostSuffix = config.disable_shadow_host_suffix_append;
    this.hostRewriteLiteral = latin1Of(config.host_rewrite_literal);
    this.mutations = mutations;
    this.runtimeFraction = fraction;
    Object.freeze(this);
  }

  fraction(streamId: number): boolean {
    return this.runtimeFraction === undefined || this.runtimeFraction.enabled(streamId);
  }

  mutateRequestHeaders(headers: RequestHeaderMap, info: StreamInfo): void {
    this.mutations.evaluateRequestHeaders(headers, info);
  }
}

function compileShadowPolicy(
  config: RouteAction_RequestMirrorPolicy,
  context: FactoryContext,
  path: string,
): ShadowPolicy {
  checkFields('RouteAction.RequestMirrorPolicy', config, path);
  if (config.cluster !== '' && config.cluster_header !== '') {
    throw new ConfigError(
      path,
      `Only one of cluster '${config.cluster}' or cluster_header '${config.cluster_header}' in request mirror policy can be specified`,
    );
  }
  if (config.cluster === '' && config.cluster_header === '') {
    throw new ConfigError(
      path,
      'Exactly one of cluster or cluster_header in request mirror policy need to be specified',
    );
  }
  const fraction = config.runtime_fraction;
  return new CompiledShadowPolicy(
    config,
    compileHeaderMutations(config.request_headers_mutations, context, at(path, 'request_headers_mutations')),
    fraction && compileRuntimeFraction(fraction, context.runtime, at(path, 'runtime_fraction')),
  );
}

/** The policies of a level, or of the level above where it has none: they do not add up. */
export function compileShadowPolicies(
  configs: readonly RouteAction_RequestMirrorPolicy[],
  inherited: readonly ShadowPolicy[],
  context: FactoryContext,
  path: string,
): readonly ShadowPolicy[] {
  if (configs.length === 0) return inherited;
  const inside = at(path, 'request_mirror_policies');
  return Object.freeze(configs.map((config, i) => compileShadowPolicy(config, context, at(inside, i))));
}
