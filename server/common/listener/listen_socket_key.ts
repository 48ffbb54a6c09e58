// Under which name main and worker know one listening socket: its address, so that a replaced listener keeps the socket of
// the one before; port 0 is a port of the listener's own.

import type { Address } from '../../api/stream_info.ts';

export function listenSocketKey(listenerName: string, address: Address): string {
  return address.ip !== '' && address.port === 0 ? `${listenerName}|${address.text}` : address.text;
}
