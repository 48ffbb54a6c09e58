// envoy.filters.http.set_metadata: puts configured values into the dynamic metadata of each request, for routes, logs and filters behind it.
// Envoy: source/extensions/filters/http/set_metadata/set_metadata_filter.cc.

import type { Config } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/set_metadata/v3.ts';
import { structToJson } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

type Struct = Readonly<Record<string, unknown>>;

const SET_METADATA_STATS = statSchema('http.set_metadata', { overwrite_denied: 'counter' });
const OVERWRITE_DENIED = SET_METADATA_STATS.offset.overwrite_denied;

interface Entry {
  readonly namespace: string;
  readonly allowOverwrite: boolean;
  readonly value: Struct;
}

class SetMetadataFilter implements HttpFilter {
  private readonly entries: readonly Entry[];
  private readonly stats: StatBlock;
  private decoder!: StreamDecoderFilterCallbacks;

  constructor(entries: readonly Entry[], stats: StatBlock) {
    this.entries = entries;
    this.stats = stats;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  decodeHeaders(): FilterHeadersStatus {
    const metadata = (this.decoder.streamInfo.dynamicMetadata ??= new Map());
    for (const { namespace, allowOverwrite, value } of this.entries) {
      const before = metadata.get(namespace);
      if (before === undefined) metadata.set(namespace, { ...value });
      else if (allowOverwrite) metadata.set(namespace, merged(before, value));
      else {
        const { values, base } = this.stats;
        values[base + OVERWRITE_DENIED] = (values[base + OVERWRITE_DENIED] as number) + 1;
      }
    }
    return FilterHeadersStatus.Continue;
  }
}

/** Structs are merged, lists appended, anything else is replaced. Envoy: StructUtil::update. */
function merged(before: Struct, update: Struct): Record<string, unknown> {
  const all: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(update)) {
    const old = Object.hasOwn(all, key) ? all[key] : undefined;
    if (Array.isArray(old) && Array.isArray(value)) all[key] = [...old, ...value];
    else if (isStruct(old) && isStruct(value)) all[key] = merged(old, value);
    else all[key] = value;
  }
  return all;
}

function isStruct(value: unknown): value is Struct {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const setMetadataFactory: HttpFilterFactory<Config> = {
  compile({ metadata_namespace: older, value: olderValue, metadata }, context, path) {
    const entries: Entry[] = metadata.flatMap((one, i) => {
      const where = at(at(path, 'metadata'), i);
      if (one.typed_value !== undefined)
        throw new ConfigError(at(where, 'typed_value'), 'typed metadata is not supported');
      if (one.value === undefined) return [];
      const value = structToJson(one.value);
      return [{ namespace: one.metadata_namespace, allowOverwrite: one.allow_overwrite, value }];
    });
    // The deprecated fields may overwrite, and come first.
    if (olderValue !== undefined)
      entries.unshift({ namespace: older, allowOverwrite: true, value: structToJson(olderValue) });
    const stats = context.stats.block(SET_METADATA_STATS, `${context.httpStatPrefix}set_metadata.`);
    return Object.freeze({ isTerminal: false, createFilter: () => new SetMetadataFilter(entries, stats) });
  },
};
