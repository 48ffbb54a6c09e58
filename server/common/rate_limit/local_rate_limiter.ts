// The buckets of one filter configuration: those of the descriptors that a request matches, the slowest first, then the default one.
// Envoy: LocalRateLimiterImpl in source/extensions/filters/common/local_ratelimit/local_ratelimit_impl.cc.

import type { LocalRateLimitDescriptor } from '../../../xds-protos/generated/envoy/extensions/common/ratelimit/v3.ts';
import type { TokenBucket } from '../../../xds-protos/generated/envoy/type/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RateLimitDescriptor, RateLimitDescriptorEntry } from '../../api/rate_limit.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { DynamicBuckets, dynamicBucketsWords } from './dynamic_buckets.ts';
import { SharedTokenBucket, type TokenBucketSettings, tokenBucketSettings } from './shared_token_bucket.ts';

/** Source: TokenBucket.fill_interval in the filter's documentation. */
const MIN_FILL_INTERVAL_MS = 50;

interface DescriptorSettings {
  readonly entries: readonly RateLimitDescriptorEntry[];
  readonly bucket: TokenBucketSettings;
  /** What it refuses is counted, and let through. */
  readonly shadowMode: boolean;
  /** It has an entry without a value, which stands for all. */
  readonly wildcard: boolean;
}

export interface RateLimiterSettings {
  /** Undefined: the default bucket never refuses. */
  readonly bucket: TokenBucketSettings | undefined;
  readonly descriptors: readonly DescriptorSettings[];
  readonly alwaysConsumeDefault: boolean;
  /** Buckets of each descriptor with wildcards. */
  readonly maxDynamicDescriptors: number;
}

interface Descriptor {
  readonly settings: DescriptorSettings;
  readonly bucket: SharedTokenBucket | undefined;
  readonly dynamic: DynamicBuckets | undefined;
}

export interface RateLimitResult {
  readonly allowed: boolean;
  readonly shadowMode: boolean;
  /** The one that refused, or else the first that was asked. */
  readonly bucket: SharedTokenBucket | undefined;
  readonly xRateLimitOption: RateLimitDescriptor['xRateLimitOption'];
}

interface Match {
  readonly bucket: SharedTokenBucket;
  readonly shadowMode: boolean;
  readonly descriptor: RateLimitDescriptor;
}

export class LocalRateLimiter {
  private readonly settings: RateLimiterSettings;
  private readonly defaultBucket: SharedTokenBucket | undefined;
  private readonly exact = new Map<string, Descriptor>();
  private readonly wildcards: Descriptor[] = [];

  /** `memory`: rateLimiterBytes, zeroed when the limiter is new. */
  constructor(settings: RateLimiterSettings, memory: SharedArrayBuffer) {
    this.settings = settings;
    const words = new BigInt64Array(memory);
    let next = 0;
    this.defaultBucket = settings.bucket && new SharedTokenBucket(settings.bucket, words, next++);
    for (const one of settings.descriptors) {
      if (one.wildcard) {
        const dynamic = new DynamicBuckets(one.bucket, words, next, settings.maxDynamicDescriptors);
        next += dynamicBucketsWords(settings.maxDynamicDescriptors);
        this.wildcards.push({ settings: one, bucket: undefined, dynamic });
      } else {
        const bucket = new SharedTokenBucket(one.bucket, words, next++);
        this.exact.set(keyOf(one.entries), { settings: one, bucket, dynamic: undefined });
      }
    }
  }

  requestAllowed(descriptors: readonly RateLimitDescriptor[]): RateLimitResult {
    const matches = this.matches(descriptors);
    let shadow: Match | undefined;
    for (const match of matches) {
      const { bucket, descriptor } = match;
      const hits = descriptor.hitsAddend ?? 1;
      if (bucket.consume(descriptor.isNegativeHits ? -hits : hits)) continue;
      if (!match.shadowMode) return refusedBy(match);
      shadow ??= match;
    }
    const first = matches.length === 0 ? undefined : matches[0];
    const { defaultBucket } = this;
    if (defaultBucket !== undefined && (first === undefined || this.settings.alwaysConsumeDefault)) {
      if (!defaultBucket.consume(1)) {
        return { allowed: false, shadowMode: false, bucket: defaultBucket, xRateLimitOption: 'UNSPECIFIED' };
      }
    }
    if (shadow !== undefined) return refusedBy(shadow);
    return {
      allowed: true,
      shadowMode: false,
      bucket: first === undefined ? defaultBucket : first.bucket,
      xRateLimitOption: first?.descriptor.xRateLimitOption ?? 'UNSPECIFIED',
    };
  }

  /** The slowest first, so that one that refuses has taken no token from the others. */
  private matches(descriptors: readonly RateLimitDescriptor[]): readonly Match[] {
    const matches: Match[] = [];
    for (const descriptor of descriptors) {
      const key = keyOf(descriptor.entries);
      const found =
        this.exact.get(key) ??
        this.wildcards.find(({ settings }) => entriesMatch(settings.entries, descriptor.entries));
      if (found === undefined) continue;
      const bucket = found.bucket ?? found.dynamic!.get(key);
      matches.push({ bucket, shadowMode: found.settings.shadowMode, descriptor });
    }
    if (matches.length < 2) return matches;
    return matches.sort((a, b) => a.bucket.settings.fillRate - b.bucket.settings.fillRate);
  }
}

function refusedBy({ bucket, shadowMode, descriptor }: Match): RateLimitResult {
  return { allowed: false, shadowMode, bucket, xRateLimitOption: descriptor.xRateLimitOption };
}

function keyOf(entries: readonly RateLimitDescriptorEntry[]): string {
  return entries.map(({ key, value }) => `${key.length} ${key} ${value.length} ${value}`).join(' ');
}

function entriesMatch(
  configured: readonly RateLimitDescriptorEntry[],
  asked: readonly RateLimitDescriptorEntry[],
): boolean {
  return (
    configured.length === asked.length &&
    configured.every(
      ({ key, value }, i) => key === asked[i].key && (value === '' || value === asked[i].value),
    )
  );
}

/** Bytes of memory that a limiter needs. */
export function rateLimiterBytes({
  bucket,
  descriptors,
  maxDynamicDescriptors,
}: RateLimiterSettings): number {
  let words = bucket === undefined ? 0 : 1;
  for (const { wildcard } of descriptors) words += wildcard ? dynamicBucketsWords(maxDynamicDescriptors) : 1;
  return words * BigInt64Array.BYTES_PER_ELEMENT;
}

/** Undefined where there is none, or none that ever refuses. Throws ConfigError. */
export function compileTokenBucket(
  config: TokenBucket | undefined,
  path: string,
): TokenBucketSettings | undefined {
  const interval = durationMs(config?.fill_interval) ?? 0;
  if (config === undefined || interval === 0) return undefined;
  if (interval < MIN_FILL_INTERVAL_MS) {
    const reason = 'local rate limit token bucket fill timer must be >= 50ms';
    throw new ConfigError(at(path, 'fill_interval'), reason);
  }
  return tokenBucketSettings(config.max_tokens, config.tokens_per_fill?.value ?? 1, interval);
}

/** Throws ConfigError. */
export function compileDescriptors(
  configs: readonly LocalRateLimitDescriptor[],
  path: string,
): readonly DescriptorSettings[] {
  const seen = new Set<string>();
  return configs.map((config, i) => {
    const inside = at(path, i);
    const bucket = config.token_bucket;
    const interval = durationMs(bucket?.fill_interval) ?? 0;
    if (bucket === undefined || interval < MIN_FILL_INTERVAL_MS) {
      const reason = 'local rate limit descriptor token bucket fill timer must be >= 50ms';
      throw new ConfigError(at(inside, 'token_bucket.fill_interval'), reason);
    }
    const entries = config.entries.map(({ key, value }) => ({ key: latin1Of(key), value: latin1Of(value) }));
    const text = config.entries.map(({ key, value }) => `${key}=${value}`).join(', ');
    if (seen.has(keyOf(entries))) {
      throw new ConfigError(inside, `duplicate descriptor in the local rate descriptor: ${text}`);
    }
    seen.add(keyOf(entries));
    return {
      entries,
      bucket: tokenBucketSettings(bucket.max_tokens, bucket.tokens_per_fill?.value ?? 1, interval),
      shadowMode: config.shadow_mode,
      wildcard: entries.some(({ value }) => value === ''),
    };
  });
}
