// Under which name main and worker know one listening socket: its address, so that a replaced listener keeps the socket of
// the one before; port 0 is a port of the listener's own, another one each time that it stands there.

import type { Address } from '../../api/stream_info.ts';

/** One for each of a listener's addresses, in their order. */
export function listenSocketKeys(listenerName: string, addresses: readonly Address[]): readonly string[] {
  return addresses.map(({ ip, port, text }, index) => {
    if (ip === '' || port !== 0) return text;
    const before = addresses.findIndex((other) => other.text === text);
    return before === index ? `${listenerName}|${text}` : `${listenerName}|${text}|${index}`;
  });
}
