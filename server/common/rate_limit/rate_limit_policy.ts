// A list of `rate_limits`, compiled: which descriptors a request has. Those of routes and virtual hosts are RateLimitPolicyImpl in
// Envoy's source/common/router/router_ratelimit.cc, those of a filter RateLimitConfig in
// source/extensions/filters/common/ratelimit_config/ratelimit_config.cc.

import type { RateLimit, RateLimit_HitsAddend } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { Formatter } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type {
  RateLimitDescriptor,
  RateLimitDescriptorEntry,
  RateLimitPolicy,
  RateLimitRequest,
} from '../../api/rate_limit.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { compileFormat } from '../formatter/substitution_formatter.ts';
import { compileDescriptorAction, type DescriptorAction, SKIPPED } from './descriptor_action.ts';

/** Source: RateLimit.HitsAddend.number. */
const MAX_HITS_ADDEND = 1_000_000_000;

const DECIMAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

interface HitsAddend {
  /** Undefined where a format says. */
  readonly number: number | undefined;
  readonly format: Formatter | undefined;
  readonly isNegative: boolean;
}

class RateLimitEntry {
  readonly stage: number;
  private readonly actions: readonly DescriptorAction[];
  private readonly hitsAddend: HitsAddend | undefined;
  private readonly xRateLimitOption: RateLimitDescriptor['xRateLimitOption'];

  constructor(
    stage: number,
    actions: readonly DescriptorAction[],
    hitsAddend: HitsAddend | undefined,
    xRateLimitOption: RateLimitDescriptor['xRateLimitOption'],
  ) {
    this.stage = stage;
    this.actions = actions;
    this.hitsAddend = hitsAddend;
    this.xRateLimitOption = xRateLimitOption;
  }

  /** Undefined where one of the actions does not apply. */
  descriptor(request: RateLimitRequest): RateLimitDescriptor | undefined {
    const entries: RateLimitDescriptorEntry[] = [];
    for (const action of this.actions) {
      const entry = action(request);
      if (entry === undefined) return undefined;
      if (entry !== SKIPPED) entries.push(entry);
    }
    const { hitsAddend, xRateLimitOption } = this;
    if (hitsAddend === undefined) {
      return { entries, hitsAddend: undefined, isNegativeHits: false, xRateLimitOption };
    }
    const hits = hitsAddend.number ?? formattedHits(hitsAddend.format!, request);
    if (hits === undefined) return undefined;
    return { entries, hitsAddend: hits, isNegativeHits: hitsAddend.isNegative, xRateLimitOption };
  }
}

function formattedHits(format: Formatter, { headers, info }: RateLimitRequest): number | undefined {
  const text = format.format({
    requestHeaders: headers,
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo: info,
    localReplyBody: '',
    accessLogType: 'NotSet',
  });
  const hits = DECIMAL.test(text) ? Math.trunc(Number(text)) : -1;
  return hits >= 0 && hits <= MAX_HITS_ADDEND ? hits : undefined;
}

class CompiledRateLimitPolicy implements RateLimitPolicy {
  private readonly entries: readonly RateLimitEntry[];

  constructor(entries: readonly RateLimitEntry[]) {
    this.entries = entries;
  }

  populateDescriptors(stage: number, request: RateLimitRequest, descriptors: RateLimitDescriptor[]): void {
    for (const entry of this.entries) {
      const descriptor = entry.stage === stage ? entry.descriptor(request) : undefined;
      if (descriptor !== undefined) descriptors.push(descriptor);
    }
  }
}

/**
 * `owner`: a filter's own limits know no stages, and buckets know no `hits_addend` of routes. What is switched by `disable_key` or applies when a stream is done is nothing that
 * a bucket goes by, in Envoy as here. Throws ConfigError.
 */
export function compileRateLimitPolicy(
  configs: readonly RateLimit[],
  owner: 'route' | 'filter',
  context: FactoryContext,
  path: string,
): RateLimitPolicy {
  const entries = configs.flatMap((config, i) => compileEntry(config, owner, context, at(path, i)));
  return new CompiledRateLimitPolicy(entries);
}

function compileEntry(
  config: RateLimit,
  owner: 'route' | 'filter',
  context: FactoryContext,
  path: string,
): readonly RateLimitEntry[] {
  if (owner === 'filter') {
    if (config.stage !== undefined || config.disable_key !== '')
      throw new ConfigError(path, "'stage' field and 'disable_key' field are not supported");
    if (config.limit !== undefined) throw new ConfigError(path, "'limit' field is not supported");
  }
  const actions = config.actions.map((action, i) =>
    compileDescriptorAction(action, context.server.nodeCluster, at(at(path, 'actions'), i)),
  );
  const option = config.x_ratelimit_option;
  if (typeof option === 'number') {
    throw new ConfigError(at(path, 'x_ratelimit_option'), `unknown value ${option}`);
  }
  const hits = config.hits_addend && compileHitsAddend(config.hits_addend, context, at(path, 'hits_addend'));
  if (config.apply_on_stream_done || config.disable_key !== '') return [];
  const counted = owner === 'filter' ? hits : undefined;
  return [new RateLimitEntry(config.stage?.value ?? 0, actions, counted, option)];
}

function compileHitsAddend(config: RateLimit_HitsAddend, context: FactoryContext, path: string): HitsAddend {
  const isNegative = config.is_negative_hits;
  if (config.format === '') {
    return { number: Number(config.number?.value ?? 0n), format: undefined, isNegative };
  }
  if (config.number !== undefined)
    throw new ConfigError(path, 'hits_addend must contain either a format or a number');
  // One operator from end to end.
  if (!/^%[^%]*%$/.test(config.format))
    throw new ConfigError(at(path, 'format'), 'hits_addend format must contain exactly one substitution');
  return { number: undefined, format: compileFormat(config.format, context, at(path, 'format')), isNegative };
}
