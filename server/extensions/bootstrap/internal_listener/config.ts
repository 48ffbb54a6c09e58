// envoy.bootstrap.internal_listener: how much an internal connection may buffer. Listeners and endpoints with internal
// addresses are refused where they stand, so there is no connection that this would be about yet.

import type { InternalListener } from '../../../../xds-protos/generated/envoy/extensions/bootstrap/internal_listener/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';

export interface InternalListenerSettings {
  /** Source: InternalListener.buffer_size_kb, 1 MiB. */
  readonly bufferSizeBytes: number;
}

export const internalListenerFactory: SettingsFactory<InternalListener> = {
  compile: ({ buffer_size_kb: size }): InternalListenerSettings =>
    Object.freeze({ bufferSizeBytes: (size?.value ?? 1024) * 1024 }),
};
