// envoy.filters.listener.original_dst. Envoy: api/envoy/extensions/filters/listener/original_dst/v3/original_dst.proto.

import type { OriginalDst } from '../../../../../xds-protos/generated/envoy/extensions/filters/listener/original_dst/v3.ts';
import type { ListenerFilterFactory } from '../../../../api/registry.ts';
import { OriginalDstConfig } from './original_dst.ts';

export const originalDstFactory: ListenerFilterFactory<OriginalDst> = {
  compile: () => new OriginalDstConfig(),
};
