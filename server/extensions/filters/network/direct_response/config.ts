// envoy.filters.network.direct_response: says one thing and closes.
// Envoy: source/extensions/filters/network/direct_response/filter.cc.

import type { Config } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/direct_response/v3.ts';
import { at } from '../../../../api/config_error.ts';
import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { readDataSource } from '../../../../common/config/data_source.ts';

const NO_BYTES = Buffer.alloc(0);

class DirectResponseFilter implements NetworkFilter {
  readonly #response: Buffer;
  #callbacks: ReadFilterCallbacks | undefined = undefined;

  constructor(response: Buffer) {
    this.#response = response;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const { connection } = this.#callbacks!;
    // Nobody writes into it, so all connections share it.
    if (this.#response.length > 0) connection.writeBytes(this.#response);
    connection.streamInfo.responseCodeDetails = 'direct_response';
    connection.close('FlushWrite');
    return NetworkFilterStatus.StopIteration;
  }
}

export const directResponseFactory: NetworkFilterFactory<Config> = {
  compile(config, _context, path): NetworkFilterConfig {
    const response = readDataSource(config.response, at(path, 'response')) ?? NO_BYTES;
    return { isTerminal: true, createFilter: () => new DirectResponseFilter(response) };
  },
};
