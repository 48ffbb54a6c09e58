// Finds the extension that a typed_config selects: by type URL only, as Envoy since 1.22. A TypedStruct (udpa or xds)
// stands for the type it names. Envoy: source/common/config/utility.h, getAndCheckFactory.

import type { TypedStruct } from '../../xds-protos/generated/udpa/type/v1.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { decodeAny, hasType, type Message, typeNameOf } from '../../xds-protos/load.ts';
import { assertValid } from '../../xds-protos/validate.ts';
import { structToJson } from '../../xds-protos/well_known.ts';
import { ConfigError } from '../api/config_error.ts';
import type {
  AnyMessage,
  ExtensionCategory,
  ExtensionFactory,
  FactoryOf,
  HttpFilterFactory,
  Registry,
  ResolvedExtension,
} from '../api/registry.ts';

const TYPED_STRUCTS = new Set(['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct']);

interface Opened {
  readonly typeName: string;
  /** Undefined while the type is not known to this build. */
  readonly message: Message | undefined;
}

export class ExtensionRegistry implements Registry {
  readonly all: readonly ExtensionFactory[];
  readonly #byType = new Map<string, Map<string, ExtensionFactory>>();
  readonly #byRouteType = new Map<string, HttpFilterFactory>();

  /** Throws when two extensions of a category claim one type: a mistake in the list. */
  constructor(factories: readonly ExtensionFactory[]) {
    this.all = factories;
    for (const factory of factories) {
      for (const type of factory.configTypes) this.#claim(factory, type);
      if (factory.category === 'envoy.filters.http') this.#claimRoutes(factory);
    }
  }

  resolve<Category extends ExtensionCategory>(
    category: Category,
    name: string,
    typedConfig: AnyMessage | undefined,
    path: string,
  ): ResolvedExtension<Category> {
    if (typedConfig === undefined) throw notRegistered(name, '', path);
    const { typeName, message } = open(typedConfig, path);
    const factory = this.#byType.get(category)?.get(typeName);
    if (factory === undefined || message === undefined) throw notRegistered(name, typeName, path);
    assertValid(typeName, message, path);
    return { factory: factory as FactoryOf<Category>, config: message as never, typeName };
  }

  resolveRoute(
    typedConfig: AnyMessage,
    path: string,
  ): { factory: HttpFilterFactory; config: never; typeName: string } | undefined {
    const { typeName, message } = open(typedConfig, path);
    const factory = this.#byRouteType.get(typeName);
    if (factory === undefined || message === undefined) return undefined;
    assertValid(typeName, message, path);
    return { factory, config: message as never, typeName };
  }

  #claim(factory: ExtensionFactory, type: string): void {
    let types = this.#byType.get(factory.category);
    if (types === undefined) this.#byType.set(factory.category, (types = new Map()));
    const other = types.get(type);
    if (other !== undefined) throw new Error(`${other.name} and ${factory.name} both claim ${type}`);
    types.set(type, factory);
  }

  #claimRoutes(factory: HttpFilterFactory): void {
    for (const type of factory.routeConfigTypes ?? factory.configTypes) {
      if (!this.#byRouteType.has(type)) this.#byRouteType.set(type, factory);
    }
  }
}

function open(typedConfig: AnyMessage, path: string): Opened {
  const typeName = typeNameOf(typedConfig.type_url);
  if (!hasType(typeName)) return { typeName, message: undefined };
  const { message } = decodeAny(typedConfig, path);
  if (!TYPED_STRUCTS.has(typeName)) return { typeName, message };
  return openStruct(message as unknown as TypedStruct, path);
}

function openStruct({ type_url, value }: TypedStruct, path: string): Opened {
  const typeName = typeNameOf(type_url);
  if (!hasType(typeName)) return { typeName, message: undefined };
  try {
    const message = fromJson<Message>(typeName, value === undefined ? {} : structToJson(value));
    return { typeName, message };
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(joined(path, error.path), error.reason);
    throw error;
  }
}

function joined(path: string, rest: string): string {
  return rest === '' ? path : `${path}.${rest}`;
}

function notRegistered(name: string, typeName: string, path: string): ConfigError {
  return new ConfigError(
    path,
    `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`,
  );
}
