// How connections to a cluster's hosts are made: source address, keep-alive. Follows core.v3.BindConfig and
// cluster.v3.UpstreamConnectionOptions; Envoy: source/common/upstream/upstream_impl.cc (UpstreamLocalAddressSelector).

import { createRequire } from 'node:module';
import type { UpstreamConnectionOptions } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { BindConfig } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { parseAddress } from '../network/address.ts';
import type { TcpKeepalive } from '../network/tcp_keepalive.ts';

/** In which order the addresses of a host are tried. */
export interface HappyEyeballsConfig {
  /** That comes first; 'first': the one of the first address. */
  readonly family: 'first' | 'IPv4' | 'IPv6';
  /** So many of it before each address of the other. */
  readonly count: number;
}

/** Source: UpstreamConnectionOptions.HappyEyeballsConfig. */
const DEFAULT_HAPPY_EYEBALLS: HappyEyeballsConfig = Object.freeze({ family: 'first', count: 1 });

const HAPPY_EYEBALLS_FIELDS = new Set(['first_address_family_version', 'first_address_family_count']);
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

/** Throws ConfigError. */
export function compileHappyEyeballs(
  options: UpstreamConnectionOptions | undefined,
  path: string,
): HappyEyeballsConfig {
  const config = options?.happy_eyeballs_config;
  if (config === undefined) return DEFAULT_HAPPY_EYEBALLS;
  rejectOtherFields(config, HAPPY_EYEBALLS_FIELDS, at(path, 'happy_eyeballs_config'));
  const { first_address_family_version: version } = config;
  return {
    family: version === 'V4' ? 'IPv4' : version === 'V6' ? 'IPv6' : 'first',
    count: wrapperValue(config.first_address_family_count) ?? DEFAULT_HAPPY_EYEBALLS.count,
  };
}

export function compileConnectionOptions(
  config: UpstreamConnectionOptions | undefined,
  path: string,
): TcpKeepalive | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, CONNECTION_FIELDS, path);
  const keepalive = config.tcp_keepalive;
  if (keepalive === undefined) return undefined;
  const { compileTcpKeepalive } =
    require('../network/tcp_keepalive.ts') as typeof import('../network/tcp_keepalive.ts');
  return compileTcpKeepalive(keepalive, at(path, 'tcp_keepalive'));
}
