// Metadata as configuration carries it, made plain JSON once so that matching compares values and nothing else.
// Document: config.core.v3.Metadata.

import type { Metadata } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';

export type FilterMetadata = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** `filter_metadata` by namespace, or undefined when there is none. */
export function filterMetadata(metadata: Metadata | undefined): FilterMetadata | undefined {
  if (metadata === undefined) return undefined;
  const result: Record<string, Readonly<Record<string, unknown>>> = {};
  let any = false;
  for (const name of Object.keys(metadata.filter_metadata)) {
    result[name] = structToJson(metadata.filter_metadata[name]);
    any = true;
  }
  return any ? result : undefined;
}

/** Does `metadata` hold every value of `wanted` in its namespace? Used by transport_socket_matches. */
export function metadataMatches(
  wanted: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>> | undefined,
): boolean {
  for (const key of Object.keys(wanted)) {
    if (metadata === undefined || JSON.stringify(metadata[key]) !== JSON.stringify(wanted[key])) return false;
  }
  return true;
}
