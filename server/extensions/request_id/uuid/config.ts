// envoy.request_id.uuid: request ids are UUIDs that may say why a request is traced. The connection manager makes them.
// Envoy: source/extensions/request_id/uuid.

import type { UuidRequestIdConfig } from '../../../../xds-protos/generated/envoy/extensions/request_id/uuid/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';

/** The message itself: `pack_trace_reason` and `use_request_id_for_trace_sampling`, both true where absent. */
export const uuidRequestIdFactory: SettingsFactory<UuidRequestIdConfig> = {
  compile: (config) => config,
};
