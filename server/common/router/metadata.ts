// envoy.config.core.v3.Metadata as plain frozen JSON.

import type { Metadata } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';

export type PlainStruct = Readonly<Record<string, unknown>>;

/** filter_metadata by namespace; undefined where there is none. */
export function plainMetadata(
  metadata: Metadata | undefined,
): Readonly<Record<string, PlainStruct>> | undefined {
  if (metadata === undefined) return undefined;
  const entries = Object.entries(metadata.filter_metadata).map(([name, struct]) => [
    name,
    structToJson(struct),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}
