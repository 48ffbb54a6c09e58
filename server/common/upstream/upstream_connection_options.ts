// How connections to a cluster's hosts are made: source address, keep-alive. Follows core.v3.BindConfig and
// cluster.v3.UpstreamConnectionOptions; Envoy: source/common/upstream/upstream_impl.cc (UpstreamLocalAddressSelector).

import { createRequire } from 'node:module';
import type { UpstreamConnectionOptions } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { BindConfig } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { parseAddress } from '../network/address.ts';
import type { TcpKeepalive } from '../network/tcp_keepalive.ts';

const require = createRequire(import.meta.url);

const BIND_FIELDS = new Set(['source_address', 'freebind']);
const CONNECTION_FIELDS = new Set([
  'tcp_keepalive',
  'set_local_interface_name_on_upstream_connections',
  'happy_eyeballs_config',
]);

/** The source address of connections, or undefined: the system chooses. */
export function compileBindConfig(config: BindConfig | undefined, path: string): Address | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, BIND_FIELDS, path);
  if (config.source_address === undefined) return undefined;
  return parseAddress({ socket_address: config.source_address }, at(path, 'source_address'));
}

/** Families take turns, beginning with that of the first address: that alone is what node does. Throws ConfigError. */
function checkHappyEyeballs(
  { happy_eyeballs_config: config }: UpstreamConnectionOptions,
  path: string,
): void {
  if (config === undefined) return;
  if (config.first_address_family_version !== 'DEFAULT')
    throw new ConfigError(at(path, 'first_address_family_version'), 'only DEFAULT is supported');
  if ((wrapperValue(config.first_address_family_count) ?? 1) !== 1)
    throw new ConfigError(at(path, 'first_address_family_count'), 'only 1 is supported');
}

export function compileConnectionOptions(
  config: UpstreamConnectionOptions | undefined,
  path: string,
): TcpKeepalive | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, CONNECTION_FIELDS, path);
  checkHappyEyeballs(config, at(path, 'happy_eyeballs_config'));
  const keepalive = config.tcp_keepalive;
  if (keepalive === undefined) return undefined;
  const { compileTcpKeepalive } =
    require('../network/tcp_keepalive.ts') as typeof import('../network/tcp_keepalive.ts');
  return compileTcpKeepalive(keepalive, at(path, 'tcp_keepalive'));
}
