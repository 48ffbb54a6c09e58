// The addresses of a listener as far as two listeners must not share one.
// Envoy: source/common/listener_manager/listener_impl.cc, ListenerImpl::hasDuplicatedAddress.

import type { Address } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { formatAddress, parseIp } from '../../common/network/address.ts';

/** As texts (`127.0.0.1:80`, `/a/pipe`). Port 0 is a different port each time, so such an address is left out. */
export function listenerAddresses(listener: Listener): string[] {
  const all = [listener.address, ...listener.additional_addresses.map((additional) => additional.address)];
  return all.flatMap(addressText);
}

function addressText(address: Address | undefined): string[] {
  if (address?.pipe !== undefined) return [address.pipe.path];
  const socket = address?.socket_address;
  if (socket === undefined || socket.port_value === undefined || socket.port_value === 0) return [];
  const version = parseIp(socket.address)?.version;
  if (version === undefined) return [];
  const text = formatAddress(socket.address, socket.port_value);
  return [socket.protocol === 'UDP' ? `udp:${text}` : text];
}
