// Tags that the configuration adds to spans. Envoy: source/common/tracing/custom_tag_impl.cc;
// document: envoy.type.tracing.v3.CustomTag.

import type { CustomTag as CustomTagProto } from '../../../xds-protos/generated/envoy/type/tracing/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { CustomTag } from '../../api/tracing.ts';
import { latin1Of } from '../matcher/latin1.ts';

/** Throws ConfigError. */
export function compileCustomTags(configs: readonly CustomTagProto[], path: string): readonly CustomTag[] {
  return configs.map((config, index) => ({
    name: config.tag,
    value: compileValue(config, at(path, index)),
  }));
}

/** `own` and those of `others` that it does not name. */
export function mergeCustomTags(
  own: readonly CustomTag[],
  others: readonly CustomTag[],
): readonly CustomTag[] {
  return [...own, ...others.filter(({ name }) => !own.some((tag) => tag.name === name))];
}

function compileValue(config: CustomTagProto, path: string): CustomTag['value'] {
  const { literal, environment, request_header, metadata } = config;
  if (literal !== undefined) {
    const value = latin1Of(literal.value);
    return () => value;
  }
  if (environment !== undefined) {
    const value = latin1Of(process.env[environment.name] ?? environment.default_value);
    return () => value;
  }
  if (request_header !== undefined) {
    const name = request_header.name.toLowerCase();
    const fallback = latin1Of(request_header.default_value);
    return (headers) => headers.get(name) ?? fallback;
  }
  if (metadata !== undefined) return compileMetadata(metadata);
  if (config.value !== undefined) throw new ConfigError(at(path, 'value'), 'this field is not supported');
  throw new ConfigError(path, 'type is required');
}

function compileMetadata(config: NonNullable<CustomTagProto['metadata']>): CustomTag['value'] {
  const { kind, metadata_key: key } = config;
  const namespace = key?.key ?? '';
  const keys = key?.path.map((segment) => segment.key ?? '') ?? [];
  const fallback = latin1Of(config.default_value);
  const source = sourceOf(kind ?? {});
  return (_, info) => {
    let value = source(info, namespace);
    for (const each of keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, each)) return fallback;
      value = (value as Readonly<Record<string, unknown>>)[each];
    }
    if (value === undefined || value === null) return fallback;
    return latin1Of(typeof value === 'object' ? JSON.stringify(value) : String(value));
  };
}

function sourceOf(
  kind: NonNullable<NonNullable<CustomTagProto['metadata']>['kind']>,
): (info: StreamInfo, namespace: string) => unknown {
  if (kind.route !== undefined) return (info, namespace) => info.route?.metadata?.[namespace];
  if (kind.cluster !== undefined)
    return (info, namespace) => info.upstreamHost && info.upstreamCluster?.metadata?.[namespace];
  if (kind.host !== undefined) return (info, namespace) => info.upstreamHost?.metadata?.[namespace];
  return (info, namespace) => info.dynamicMetadata?.get(namespace);
}
