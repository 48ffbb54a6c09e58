// envoy.filters.network.mongo_proxy. Envoy: api/envoy/extensions/filters/network/mongo_proxy/v3/mongo_proxy.proto.

import type { FaultDelay } from '../../../../../xds-protos/generated/envoy/extensions/filters/common/fault/v3.ts';
import type { MongoProxy } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/mongo_proxy/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, NetworkFilterFactory } from '../../../../api/registry.ts';
import { MongoProxyConfig, type MongoProxyOptions } from './mongo_proxy.ts';
import { MongoStats } from './mongo_stats.ts';

/** MongoProxy.commands. */
const DEFAULT_COMMANDS = ['delete', 'insert', 'update'];
const DENOMINATORS = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

function compile(config: MongoProxy, context: FactoryContext, path: string): MongoProxyConfig {
  if (config.access_log !== '') {
    throw new ConfigError(at(path, 'access_log'), 'logging of MongoDB messages is not supported');
  }
  const commands = new Set(config.commands.length === 0 ? DEFAULT_COMMANDS : config.commands);
  const { listener } = context;
  return new MongoProxyConfig({
    stats: new MongoStats(context.stats, `mongo.${config.stat_prefix}.`, commands),
    runtime: context.runtime,
    emitDynamicMetadata: config.emit_dynamic_metadata,
    delay: config.delay === undefined ? undefined : compileDelay(config.delay, at(path, 'delay')),
    draining: () => listener?.draining() ?? false,
  });
}

function compileDelay(config: FaultDelay, path: string): NonNullable<MongoProxyOptions['delay']> {
  if (config.fixed_delay === undefined) {
    throw new ConfigError(at(path, 'header_delay'), 'only fixed_delay is supported here');
  }
  const denominator = config.percentage?.denominator as keyof typeof DENOMINATORS | undefined;
  return {
    ms: durationMs(config.fixed_delay),
    numerator: config.percentage?.numerator ?? 0,
    denominator: DENOMINATORS[denominator ?? 'HUNDRED'],
  };
}

export const mongoProxyFactory: NetworkFilterFactory<MongoProxy> = {
  compile,
};
