// envoy.filters.http.buffer. Envoy: source/extensions/filters/http/buffer/config.cc,
// api/envoy/extensions/filters/http/buffer/v3/buffer.proto.

import type * as buffer from '../../../../../xds-protos/generated/envoy/extensions/filters/http/buffer/v3.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { BufferFilter } from './buffer.ts';

export const bufferFactory: HttpFilterFactory<buffer.Buffer, buffer.BufferPerRoute> = {
  compile({ max_request_bytes }) {
    const settings = Object.freeze({ maxRequestBytes: max_request_bytes?.value });
    return Object.freeze({ isTerminal: false, createFilter: () => new BufferFilter(settings) });
  },
  compileRoute: (config) => Object.freeze({ maxRequestBytes: config.buffer?.max_request_bytes?.value }),
};
