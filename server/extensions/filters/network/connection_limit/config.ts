// envoy.filters.network.connection_limit. Envoy: api/envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto.

import type { ConnectionLimit } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/connection_limit/v3.ts';
import { durationMs, toNumber } from '../../../../../xds-protos/well_known.ts';
import type { FactoryContext, NetworkFilterFactory } from '../../../../api/registry.ts';
import { CONNECTION_LIMIT_STATS, ConnectionLimitConfig } from './connection_limit.ts';

function compile(config: ConnectionLimit, context: FactoryContext): ConnectionLimitConfig {
  return new ConnectionLimitConfig({
    maxConnections: toNumber(config.max_connections?.value ?? 0n),
    delayMs: durationMs(config.delay) ?? 0,
    runtime: context.runtime,
    runtimeKey: config.runtime_enabled?.runtime_key ?? '',
    enabledByDefault: config.runtime_enabled?.default_value?.value ?? true,
    connections: context.sharedCounter(
      `connection_limit.${config.stat_prefix}.${context.listener?.chainId()}`,
    ),
    stats: context.stats.block(CONNECTION_LIMIT_STATS, `connection_limit.${config.stat_prefix}.`),
  });
}

export const connectionLimitFactory: NetworkFilterFactory<ConnectionLimit> = {
  compile,
};
