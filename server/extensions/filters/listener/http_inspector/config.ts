// envoy.filters.listener.http_inspector. Envoy: api/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto.

import type { HttpInspector } from '../../../../../xds-protos/generated/envoy/extensions/filters/listener/http_inspector/v3.ts';
import type { ListenerFilterFactory } from '../../../../api/registry.ts';
import { HTTP_INSPECTOR_STATS, HttpInspectorConfig } from './http_inspector.ts';

export const httpInspectorFactory: ListenerFilterFactory<HttpInspector> = {
  compile: (_config, context) =>
    new HttpInspectorConfig(context.stats.block(HTTP_INSPECTOR_STATS, 'http_inspector.')),
};
