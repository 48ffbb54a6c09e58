// Finds where a redirected connection was going and makes that the connection's local address, by which a listener
// or filter chain is then chosen. A connection that was not redirected keeps its address.
// Envoy: source/extensions/filters/listener/original_dst/original_dst.cc.

import {
  type ListenerFilter,
  type ListenerFilterCallbacks,
  type ListenerFilterConfig,
  NetworkFilterStatus,
} from '../../../../api/network/filter.ts';
import { originalDestination } from '../../../../common/network/socket_option.ts';

export class OriginalDstFilter implements ListenerFilter {
  readonly maxReadBytes = 0;

  onAccept({ fd, info }: ListenerFilterCallbacks): NetworkFilterStatus {
    const local = info.localAddress;
    if (local.ip === '') return NetworkFilterStatus.Continue;
    const original = originalDestination(fd, local.ip.includes(':') ? 6 : 4);
    if (original !== undefined && original.text !== local.text) {
      info.localAddress = original;
      info.localAddressRestored = true;
    }
    return NetworkFilterStatus.Continue;
  }
}

/** Has no settings and no state: one filter serves all. */
export class OriginalDstConfig implements ListenerFilterConfig {
  readonly #filter = new OriginalDstFilter();

  createFilter(): ListenerFilter {
    return this.#filter;
  }
}
