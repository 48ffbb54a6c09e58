// envoy.tracers.opentelemetry.resource_detectors.static_config: attributes that the configuration gives.
// Envoy: source/extensions/tracers/opentelemetry/resource_detectors/static.

import type * as detectors from '../../../../../../xds-protos/generated/envoy/extensions/tracers/opentelemetry/resource_detectors/v3.ts';
import type { SettingsFactory } from '../../../../../api/registry.ts';
import type { ResourceAttributes } from '../../resource.ts';

export const staticConfigResourceDetector: SettingsFactory<detectors.StaticConfigResourceDetectorConfig> = {
  compile: ({ attributes }): ResourceAttributes => new Map(Object.entries(attributes)),
};
