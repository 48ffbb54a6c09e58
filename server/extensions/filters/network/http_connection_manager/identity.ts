// Who counts as internal, and what of a client's certificate is passed on.

import type {
  HttpConnectionManager_InternalAddressConfig,
  HttpConnectionManager_SetCurrentClientCertDetails,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { at } from '../../../../api/config_error.ts';
import type { Address } from '../../../../api/stream_info.ts';
import type { SetCurrentClientCertDetails } from '../../../../common/http/conn_manager_config.ts';
import { CidrRange } from '../../../../common/network/address.ts';

/** Without a configuration no address is internal (Envoy since 1.33: envoy.reloadable_features.explicit_internal_address_config). */
export function compileInternalAddresses(
  config: HttpConnectionManager_InternalAddressConfig | undefined,
  path: string,
): (address: Address) => boolean {
  if (config === undefined) return () => false;
  const ranges = config.cidr_ranges.map((range, index) =>
    CidrRange.compile(range, at(at(path, 'cidr_ranges'), index)),
  );
  const unix = config.unix_sockets;
  return (address) => (address.ip === '' ? unix : ranges.some((range) => range.containsAddress(address)));
}

export function compileClientCertDetails(
  config: HttpConnectionManager_SetCurrentClientCertDetails | undefined,
): SetCurrentClientCertDetails {
  return Object.freeze({
    subject: config?.subject?.value ?? false,
    cert: config?.cert ?? false,
    chain: config?.chain ?? false,
    dns: config?.dns ?? false,
    uri: config?.uri ?? false,
  });
}
