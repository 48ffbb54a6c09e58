// An address as `envoy.config.core.v3.Address` in JSON.

import type { Address } from '../../api/stream_info.ts';

export function addressJson(address: Address): object {
  if (address.ip === '') return { pipe: { path: address.text } };
  return { socket_address: { address: address.ip, port_value: address.port } };
}
