// envoy.filters.network.echo: sends back what comes. Envoy: source/extensions/filters/network/echo/echo.cc.

import type { Echo } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/echo/v3.ts';
import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { copyBytes } from '../../../../common/buffer/copy_bytes.ts';

class EchoFilter implements NetworkFilter {
  #callbacks: ReadFilterCallbacks | undefined = undefined;

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus {
    const { connection } = this.#callbacks!;
    if (end > start) connection.writeBytes(copyBytes(bytes, start, end));
    if (endStream) connection.endWrite();
    return NetworkFilterStatus.StopIteration;
  }
}

const CONFIG: NetworkFilterConfig = { isTerminal: true, createFilter: () => new EchoFilter() };

export const echoFactory: NetworkFilterFactory<Echo> = {
  compile: () => CONFIG,
};
