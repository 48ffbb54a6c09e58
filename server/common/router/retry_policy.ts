// RetryPolicy of envoy.config.route.v3, compiled. Envoy: RetryPolicyImpl in source/common/router/config_impl.cc, defaults of
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter.

import type { RetryPolicy as RetryPolicyConfig } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { PreviousPrioritiesConfig } from '../../../xds-protos/generated/envoy/extensions/retry/priority/previous_priorities/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { type ResetHeader, type RetryHostPredicate, RetryOn, type RetryPolicy } from '../../api/router.ts';
import {
  compileHeaderMatchers,
  type HeaderMatcher,
  headerName,
  matchAnyHeader,
} from '../matcher/header_matcher.ts';
import { milliseconds, optionalMilliseconds } from './durations.ts';
import { checkFields } from './handled_fields.ts';

/** retry_back_off.base_interval; the maximum is ten times the base. */
const DEFAULT_BASE_INTERVAL_MS = 25;
/** rate_limited_retry_back_off.max_interval. */
const DEFAULT_RATE_LIMITED_MAX_INTERVAL_MS = 300_000;

const PREVIOUS_HOSTS = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate';

type Settings = Omit<RetryPolicy, 'retriableHeaders' | 'retriableRequestHeaders'>;

class CompiledRetryPolicy implements RetryPolicy {
  readonly retryOn: number;
  readonly numRetries: number;
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly retriableStatusCodes: readonly number[];
  readonly hostSelectionMaxAttempts: number;
  readonly rejectPreviousHosts: boolean;
  readonly hostPredicates: readonly RetryHostPredicate[];
  readonly previousPrioritiesUpdateFrequency: number;
  readonly resetHeaders: readonly ResetHeader[];
  readonly rateLimitedMaxIntervalMs: number;
  private readonly responseMatchers: readonly HeaderMatcher[];
  private readonly requestMatchers: readonly HeaderMatcher[];

  constructor(settings: Settings, response: readonly HeaderMatcher[], request: readonly HeaderMatcher[]) {
    this.retryOn = settings.retryOn;
    this.numRetries = settings.numRetries;
    this.perTryTimeoutMs = settings.perTryTimeoutMs;
    this.perTryIdleTimeoutMs = settings.perTryIdleTimeoutMs;
    this.baseIntervalMs = settings.baseIntervalMs;
    this.maxIntervalMs = settings.maxIntervalMs;
    this.retriableStatusCodes = settings.retriableStatusCodes;
    this.hostSelectionMaxAttempts = settings.hostSelectionMaxAttempts;
    this.rejectPreviousHosts = settings.rejectPreviousHosts;
    this.hostPredicates = settings.hostPredicates;
    this.previousPrioritiesUpdateFrequency = settings.previousPrioritiesUpdateFrequency;
    this.resetHeaders = settings.resetHeaders;
    this.rateLimitedMaxIntervalMs = settings.rateLimitedMaxIntervalMs;
    this.responseMatchers = response;
    this.requestMatchers = request;
    Object.freeze(this);
  }

  retriableHeaders(headers: ResponseHeaderMap): boolean {
    return matchAnyHeader(this.responseMatchers, headers);
  }

  retriableRequestHeaders(headers: RequestHeaderMap): boolean {
    return this.requestMatchers.length === 0 || matchAnyHeader(this.requestMatchers, headers);
  }
}

/** `retry_on` names (or those of x-envoy-retry-on) as bits of RetryOn. As in Envoy, unknown names mean nothing. */
export function parseRetryOn(text: string): number {
  const bits: Readonly<Record<string, number>> = RetryOn;
  let retryOn = 0;
  for (const name of text.split(',')) {
    if (Object.hasOwn(bits, name.trim())) retryOn |= bits[name.trim()];
  }
  return retryOn;
}

export function compileRetryPolicy(
  config: RetryPolicyConfig,
  context: FactoryContext,
  path: string,
): RetryPolicy {
  checkFields('RetryPolicy', config, path);
  const settings: Settings = {
    retryOn: parseRetryOn(config.retry_on),
    numRetries: config.num_retries?.value ?? 1,
    perTryTimeoutMs: optionalMilliseconds(config.per_try_timeout, at(path, 'per_try_timeout')) ?? 0,
    perTryIdleTimeoutMs:
      optionalMilliseconds(config.per_try_idle_timeout, at(path, 'per_try_idle_timeout')) ?? 0,
    ...compileBackOff(config, path),
    retriableStatusCodes: Object.freeze([...config.retriable_status_codes]),
    hostSelectionMaxAttempts: Number(config.host_selection_retry_max_attempts) || 1,
    ...compileHostPredicates(config, context, path),
    previousPrioritiesUpdateFrequency: compileRetryPriority(config, context, path),
    ...compileRateLimitedBackOff(config, path),
  };
  return new CompiledRetryPolicy(
    settings,
    compileHeaderMatchers(config.retriable_headers, at(path, 'retriable_headers')),
    compileHeaderMatchers(config.retriable_request_headers, at(path, 'retriable_request_headers')),
  );
}

function compileBackOff(
  { retry_back_off: backOff }: RetryPolicyConfig,
  path: string,
): Pick<Settings, 'baseIntervalMs' | 'maxIntervalMs'> {
  if (backOff?.base_interval === undefined) {
    return { baseIntervalMs: DEFAULT_BASE_INTERVAL_MS, maxIntervalMs: DEFAULT_BASE_INTERVAL_MS * 10 };
  }
  const inside = at(path, 'retry_back_off');
  // Envoy reads anything below a millisecond as one.
  const base = Math.max(milliseconds(backOff.base_interval, at(inside, 'base_interval')), 1);
  const given = optionalMilliseconds(backOff.max_interval, at(inside, 'max_interval'));
  const max = given === undefined ? base * 10 : Math.max(given, 1);
  if (max < base) {
    throw new ConfigError(
      at(inside, 'max_interval'),
      'retry_policy.max_interval must greater than or equal to the base_interval',
    );
  }
  return { baseIntervalMs: base, maxIntervalMs: max };
}

function compileRateLimitedBackOff(
  { rate_limited_retry_back_off: backOff }: RetryPolicyConfig,
  path: string,
): Pick<Settings, 'resetHeaders' | 'rateLimitedMaxIntervalMs'> {
  const inside = at(path, 'rate_limited_retry_back_off');
  const headers = (backOff?.reset_headers ?? []).map((header, i) => {
    if (typeof header.format === 'number') {
      throw new ConfigError(at(at(inside, 'reset_headers'), i), `unknown format ${header.format}`);
    }
    return Object.freeze({ name: headerName(header.name), format: header.format });
  });
  const max = optionalMilliseconds(backOff?.max_interval, at(inside, 'max_interval'));
  return {
    resetHeaders: Object.freeze(headers),
    rateLimitedMaxIntervalMs: Math.max(max ?? DEFAULT_RATE_LIMITED_MAX_INTERVAL_MS, 1),
  };
}

function compileHostPredicates(
  config: RetryPolicyConfig,
  context: FactoryContext,
  path: string,
): Pick<Settings, 'rejectPreviousHosts' | 'hostPredicates'> {
  let rejectPreviousHosts = false;
  const hostPredicates: RetryHostPredicate[] = [];
  config.retry_host_predicate.forEach((predicate, i) => {
    const inside = at(at(path, 'retry_host_predicate'), i);
    const { typeName, factory, config } = context.registry.resolve(
      'envoy.retry_host_predicates',
      predicate.name,
      predicate.typed_config,
      inside,
    );
    // What was tried is known of a request only.
    if (typeName === PREVIOUS_HOSTS) rejectPreviousHosts = true;
    else hostPredicates.push(factory.compile(config, context, inside) as RetryHostPredicate);
  });
  return { rejectPreviousHosts, hostPredicates: Object.freeze(hostPredicates) };
}

function compileRetryPriority(config: RetryPolicyConfig, context: FactoryContext, path: string): number {
  const priority = config.retry_priority;
  if (priority === undefined || priority.name === '') return 0;
  const inside = at(path, 'retry_priority');
  const resolved = context.registry.resolve(
    'envoy.retry_priorities',
    priority.name,
    priority.typed_config,
    inside,
  );
  if (
    resolved.typeName !== 'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig'
  ) {
    throw new ConfigError(inside, `${resolved.typeName} is not supported`);
  }
  const settings: PreviousPrioritiesConfig = resolved.config;
  return settings.update_frequency;
}
