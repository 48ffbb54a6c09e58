// envoy.tracers.opentelemetry.resource_detectors.environment: attributes from OTEL_RESOURCE_ATTRIBUTES (`key=value,key=value`).
// Envoy: source/extensions/tracers/opentelemetry/resource_detectors/environment.

import type { SettingsFactory } from '../../../../../api/registry.ts';
import { logger } from '../../../../../common/log.ts';
import type { ResourceAttributes } from '../../resource.ts';

const log = logger('tracing');

export const environmentResourceDetector: SettingsFactory<object> = {
  compile(): ResourceAttributes {
    const attributes = new Map<string, string>();
    for (const pair of (process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? '').split(',')) {
      if (pair === '') continue;
      const [key = '', value, ...rest] = pair.split('=');
      if (value === undefined || rest.length > 0)
        log.warning(`Invalid resource format from the environment, invalid text: ${pair}.`);
      else attributes.set(key, value);
    }
    return attributes;
  },
};
