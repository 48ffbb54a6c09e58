// The bootstrap's stats_config, compiled: which stats exist, their tags and the buckets of their histograms.
// envoy/config/metrics/v3/stats.proto

import type {
  HistogramBucketSettings,
  StatsConfig,
  StatsMatcher,
} from '../../../xds-protos/generated/envoy/config/metrics/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';
import { TagProducer } from './tag_producer.ts';

/** Upper bounds of the buckets people see, in the stat's unit. Envoy: HistogramSettingsImpl::defaultBuckets. */
const DEFAULT_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000,
  3600000,
];

export interface StatsSettings {
  readonly tags: TagProducer;
  /** False: Envoy would not have made the stat. Undefined where all are made. */
  readonly accepts: ((name: string) => boolean) | undefined;
  /** Ascending upper bounds. */
  buckets(name: string): readonly number[];
}

/** Compiles stats_config. Throws ConfigError. */
export function compileStatsConfig(config: StatsConfig | undefined, path: string): StatsSettings {
  const settings = (config?.histogram_bucket_settings ?? []).map((setting, index) =>
    compileBuckets(setting, at(at(path, 'histogram_bucket_settings'), index)),
  );
  return Object.freeze({
    tags: new TagProducer(config, path),
    accepts: compileStatsMatcher(config?.stats_matcher, at(path, 'stats_matcher')),
    // `bins` is only how much memory Envoy sets aside for a histogram at first.
    buckets: (name: string) =>
      settings.find((setting) => setting.matcher.match(name))?.buckets ?? DEFAULT_BUCKETS,
  });
}

function compileBuckets(
  setting: HistogramBucketSettings,
  path: string,
): { readonly matcher: StringMatcher; readonly buckets: readonly number[] } {
  if (setting.match === undefined) throw new ConfigError(at(path, 'match'), 'value is required');
  const buckets = [...setting.buckets].sort((a, b) => a - b);
  if (setting.buckets.length === 0)
    throw new ConfigError(at(path, 'buckets'), 'value must contain at least 1 item(s)');
  return { matcher: compileStringMatcher(setting.match, at(path, 'match')), buckets: Object.freeze(buckets) };
}

function compileStatsMatcher(
  config: StatsMatcher | undefined,
  path: string,
): ((name: string) => boolean) | undefined {
  if (config?.reject_all !== undefined) {
    return config.reject_all ? () => false : undefined;
  }
  const include = config?.inclusion_list !== undefined;
  const list = config?.inclusion_list ?? config?.exclusion_list;
  if (list === undefined) return undefined;
  const patternsPath = at(at(path, include ? 'inclusion_list' : 'exclusion_list'), 'patterns');
  const patterns = list.patterns.map((pattern, index) =>
    compileStringMatcher(pattern, at(patternsPath, index)),
  );
  return (name) => patterns.some((pattern) => pattern.match(name)) === include;
}
