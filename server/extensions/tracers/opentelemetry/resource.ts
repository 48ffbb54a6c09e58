// Who reports spans: attributes of this process, of its configuration and of its environment, later ones over earlier ones.
// Envoy: source/extensions/tracers/opentelemetry/resource_detectors/resource_provider.cc.

import type { TypedExtensionConfig } from '../../../../xds-protos/generated/envoy/config/core/v3.ts';
import { at } from '../../../api/config_error.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import { VERSION } from '../../../common/version.ts';

export type ResourceAttributes = ReadonlyMap<string, string>;

/** Source: OpenTelemetryConfig.service_name. */
const UNKNOWN_SERVICE = 'unknown_service:envoy';

/** Throws ConfigError. */
export function compileResource(
  serviceName: string,
  detectors: readonly TypedExtensionConfig[],
  context: FactoryContext,
  path: string,
): ResourceAttributes {
  // https://opentelemetry.io/docs/specs/semconv/resource/#telemetry-sdk
  const attributes = new Map([
    ['service.name', serviceName || UNKNOWN_SERVICE],
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.name', 'pilotfish'],
    ['telemetry.sdk.version', VERSION],
  ]);
  for (const [index, detector] of detectors.entries()) {
    const { factory, config } = context.registry.resolve(
      'envoy.tracers.opentelemetry.resource_detectors',
      detector.name,
      detector.typed_config,
      at(path, index),
    );
    const detected = factory.compile(config, context, at(path, index)) as ResourceAttributes;
    for (const [key, value] of detected) attributes.set(key, value);
  }
  return attributes;
}
