// envoy.filters.listener.tls_inspector. Envoy: api/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto.
// `initial_read_buffer_size` sizes Envoy's first peek; here a peek sees whatever has arrived, so it changes nothing.

import type { TlsInspector } from '../../../../../xds-protos/generated/envoy/extensions/filters/listener/tls_inspector/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, ListenerFilterFactory } from '../../../../api/registry.ts';
import { MAX_CLIENT_HELLO_BYTES } from '../../../../common/tls/client_hello.ts';
import { TLS_INSPECTOR_STATS, TlsInspectorConfig } from './tls_inspector.ts';

function compile(config: TlsInspector, context: FactoryContext, path: string): TlsInspectorConfig {
  for (const field of ['enable_ja3_fingerprinting', 'enable_ja4_fingerprinting'] as const) {
    if (config[field]?.value) throw new ConfigError(at(path, field), 'fingerprints are not supported');
  }
  const options = {
    maxClientHelloBytes: config.max_client_hello_size?.value ?? MAX_CLIENT_HELLO_BYTES,
    closeOnParsingErrors: config.close_connection_on_client_hello_parsing_errors,
  };
  return new TlsInspectorConfig(options, context.stats.block(TLS_INSPECTOR_STATS, 'tls_inspector.'));
}

export const tlsInspectorFactory: ListenerFilterFactory<TlsInspector> = {
  compile,
};
