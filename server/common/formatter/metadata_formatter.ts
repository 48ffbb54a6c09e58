// Operators that print metadata and filter state. Envoy: source/common/formatter/stream_info_formatter.cc (MetadataFormatter,
// FilterStateFormatter) and source/extensions/formatter/metadata.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { FilterState, FilterStateObject } from '../../api/stream_info.ts';
import { latin1Of } from '../matcher/latin1.ts';
import type { CommandCall, CommandTable } from './command_table.ts';
import {
  type FormatterProvider,
  StringFormatterProvider,
  ValueFormatterProvider,
} from './formatter_provider.ts';
import { jsonValue, plainValue } from './json_text.ts';

/** The metadata of one namespace, or undefined. */
type Namespace = (context: LogContext, namespace: string) => unknown;

const dynamicMetadata: Namespace = ({ streamInfo }, namespace) => streamInfo.dynamicMetadata?.get(namespace);
const clusterMetadata: Namespace = ({ streamInfo }, namespace) =>
  streamInfo.upstreamCluster?.metadata?.[namespace];
const hostMetadata: Namespace = ({ streamInfo }, namespace) => streamInfo.upstreamHost?.metadata?.[namespace];
const routeMetadata: Namespace = ({ streamInfo }, namespace) => streamInfo.route?.metadata?.[namespace];
const filterChainMetadata: Namespace = ({ streamInfo }, namespace) =>
  streamInfo.connection.filterChainMetadata?.[namespace];
const virtualHostMetadata: Namespace = ({ streamInfo }, namespace) =>
  streamInfo.route?.virtualHostMetadata?.[namespace];

/** `NAMESPACE:KEY:KEY...`; without keys the whole namespace. */
function compileMetadata(
  source: Namespace,
  argument: string,
  maxLength: number | undefined,
): FormatterProvider {
  const [namespace, ...keys] = argument.split(':');
  return new ValueFormatterProvider(
    (context) => valueAt(source(context, namespace), keys),
    plainValue,
    jsonValue,
    maxLength,
  );
}

function valueAt(root: unknown, keys: readonly string[]): unknown {
  let value = root;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

/** `%METADATA(TYPE:NAMESPACE:KEY)%`. */
function compileTypedMetadata({ argument, maxLength, context, path }: CommandCall): FormatterProvider {
  const colon = argument.indexOf(':');
  const type = colon < 0 ? argument : argument.slice(0, colon);
  const rest = colon < 0 ? '' : argument.slice(colon + 1);
  switch (type) {
    case 'DYNAMIC':
      return compileMetadata(dynamicMetadata, rest, maxLength);
    case 'CLUSTER':
      return compileMetadata(clusterMetadata, rest, maxLength);
    case 'UPSTREAM_HOST':
      return compileMetadata(hostMetadata, rest, maxLength);
    case 'ROUTE':
      return compileMetadata(routeMetadata, rest, maxLength);
    case 'VIRTUAL_HOST':
      return compileMetadata(virtualHostMetadata, rest, maxLength);
    case 'LISTENER_FILTER_CHAIN':
      return compileMetadata(filterChainMetadata, rest, maxLength);
    case 'LISTENER': {
      const metadata = context.listener?.metadata;
      return compileMetadata((_, namespace) => metadata?.[namespace], rest, maxLength);
    }
    default:
      throw new ConfigError(path, `${type} is not supported type of metadata`);
  }
}

type StateOf = (context: LogContext) => FilterState | undefined;

function compileFilterState(state: StateOf, { argument, maxLength, path }: CommandCall): FormatterProvider {
  const [key, type = 'TYPED', field = ''] = argument.split(':');
  if (key === '') throw new ConfigError(path, 'Invalid filter state configuration, key cannot be empty.');
  if (type !== 'PLAIN' && type !== 'TYPED' && type !== 'FIELD') {
    throw new ConfigError(path, 'Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.');
  }
  if ((type === 'FIELD') !== (field !== '')) {
    throw new ConfigError(
      path,
      'Invalid filter state serialize type, FIELD should be used with the field name.',
    );
  }
  const object = (context: LogContext): FilterStateObject | undefined => state(context)?.get(key);
  if (type === 'TYPED') {
    return new ValueFormatterProvider(
      (context) => object(context)?.serializeAsJson?.(),
      jsonValue,
      jsonValue,
      maxLength,
    );
  }
  if (type === 'PLAIN') {
    return new StringFormatterProvider((context) => {
      const found = object(context);
      return found && latin1Of(found.serializeAsString());
    }, maxLength);
  }
  return new StringFormatterProvider((context) => {
    const value = object(context)?.fieldByName?.(field);
    return value === undefined ? undefined : latin1Of(String(value));
  }, maxLength);
}

export const METADATA_COMMANDS: CommandTable = {
  DYNAMIC_METADATA: {
    parameters: 'required',
    lengthAllowed: true,
    compile: ({ argument, maxLength }) => compileMetadata(dynamicMetadata, argument, maxLength),
  },
  CLUSTER_METADATA: {
    parameters: 'required',
    lengthAllowed: false,
    compile: ({ argument }) => compileMetadata(clusterMetadata, argument, undefined),
  },
  UPSTREAM_METADATA: {
    parameters: 'required',
    lengthAllowed: false,
    compile: ({ argument }) => compileMetadata(hostMetadata, argument, undefined),
  },
  METADATA: { parameters: 'optional', lengthAllowed: true, compile: compileTypedMetadata },
  FILTER_STATE: {
    parameters: 'optional',
    lengthAllowed: true,
    compile: (call) => compileFilterState(({ streamInfo }) => streamInfo.filterState, call),
  },
  UPSTREAM_FILTER_STATE: {
    parameters: 'optional',
    lengthAllowed: true,
    compile: (call) => compileFilterState(({ streamInfo }) => streamInfo.upstreamFilterState, call),
  },
};
