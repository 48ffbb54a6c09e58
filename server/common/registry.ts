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
  Extension,
  ExtensionCategory,
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
  readonly all: readonly Extension[];
  readonly #byType = new Map<string, Map<string, Extension>>();
  readonly #byRouteType = new Map<string, Extension<'envoy.filters.http'>>();

  /** Throws when two extensions of a category claim one type: a mistake in the list. */
  constructor(extensions: readonly Extension[]) {
    this.all = extensions;
    for (const extension of extensions) {
      for (const type of extension.configTypes) this.#claim(extension, type);
      if (isHttpFilter(extension)) this.#claimRoutes(extension);
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
    const extension = this.#byType.get(category)?.get(typeName) as Extension<Category> | undefined;
    if (extension === undefined || message === undefined) throw notRegistered(name, typeName, path);
    assertValid(typeName, message, path);
    return { name: extension.name, factory: extension.load(), config: message as never, typeName };
  }

  resolveRoute(typedConfig: AnyMessage, path: string): ResolvedExtension<'envoy.filters.http'> | undefined {
    const { typeName, message } = open(typedConfig, path);
    const extension = this.#byRouteType.get(typeName);
    if (extension === undefined || message === undefined) return undefined;
    assertValid(typeName, message, path);
    return { name: extension.name, factory: extension.load(), config: message as never, typeName };
  }

  #claim(extension: Extension, type: string): void {
    let types = this.#byType.get(extension.category);
    if (types === undefined) this.#byType.set(extension.category, (types = new Map()));
    const other = types.get(type);
    if (other !== undefined) throw new Error(`${other.name} and ${extension.name} both claim ${type}`);
    types.set(type, extension);
  }

  #claimRoutes(extension: Extension<'envoy.filters.http'>): void {
    for (const type of extension.routeConfigTypes ?? extension.configTypes) {
      if (!this.#byRouteType.has(type)) this.#byRouteType.set(type, extension);
    }
  }
}

function isHttpFilter(extension: Extension): extension is Extension<'envoy.filters.http'> {
  return extension.category === 'envoy.filters.http';
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
