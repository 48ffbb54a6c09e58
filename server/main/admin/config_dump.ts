// /config_dump: the configuration in force, section by section, element by element, so that ten thousand clusters are
// never in memory at once as JSON. Envoy: source/server/admin/config_dump_handler.cc.

import { type Json, toJson } from '../../../xds-protos/json.ts';
import { encode } from '../../../xds-protos/load.ts';
import { redact } from '../../../xds-protos/redact.ts';
import { inTurns, type Steps } from '../../common/event/steps.ts';
import type { AdminContext, ConfigDumpKey } from './context.ts';
import { FieldMask } from './field_mask.ts';
import { type AdminAnswer, type AdminRequest, prettyJson } from './handler.ts';
import { isLarge, prettyPieces, redactedJson } from './large_json.ts';
import { compileFullMatch, RegexParamError } from './regex_param.ts';

interface Section {
  readonly key: ConfigDumpKey;
  /** Message of envoy.admin.v3. */
  readonly type: string;
  /** Single fields that `resource` refuses. */
  readonly fields: readonly string[];
  /** Repeated fields in their order, and the message of their elements. */
  readonly lists: Readonly<Record<string, string>>;
}

type Dump = Readonly<Record<string, unknown>>;
type JsonObject = { [key: string]: Json };

/** In the order of the answer. */
const SECTIONS: readonly Section[] = [
  { key: 'bootstrap', type: 'BootstrapConfigDump', fields: ['bootstrap', 'last_updated'], lists: {} },
  {
    key: 'clusters',
    type: 'ClustersConfigDump',
    fields: ['version_info'],
    lists: {
      static_clusters: 'ClustersConfigDump.StaticCluster',
      dynamic_active_clusters: 'ClustersConfigDump.DynamicCluster',
      dynamic_warming_clusters: 'ClustersConfigDump.DynamicCluster',
    },
  },
  {
    key: 'ecds',
    type: 'EcdsConfigDump',
    fields: [],
    lists: { ecds_filters: 'EcdsConfigDump.EcdsFilterConfig' },
  },
  {
    key: 'endpoint',
    type: 'EndpointsConfigDump',
    fields: [],
    lists: {
      static_endpoint_configs: 'EndpointsConfigDump.StaticEndpointConfig',
      dynamic_endpoint_configs: 'EndpointsConfigDump.DynamicEndpointConfig',
    },
  },
  {
    key: 'listeners',
    type: 'ListenersConfigDump',
    fields: ['version_info'],
    lists: {
      static_listeners: 'ListenersConfigDump.StaticListener',
      dynamic_listeners: 'ListenersConfigDump.DynamicListener',
    },
  },
  {
    key: 'route_scopes',
    type: 'ScopedRoutesConfigDump',
    fields: [],
    lists: {
      inline_scoped_route_configs: 'ScopedRoutesConfigDump.InlineScopedRouteConfigs',
      dynamic_scoped_route_configs: 'ScopedRoutesConfigDump.DynamicScopedRouteConfigs',
    },
  },
  {
    key: 'routes',
    type: 'RoutesConfigDump',
    fields: [],
    lists: {
      static_route_configs: 'RoutesConfigDump.StaticRouteConfig',
      dynamic_route_configs: 'RoutesConfigDump.DynamicRouteConfig',
    },
  },
  {
    key: 'secrets',
    type: 'SecretsConfigDump',
    fields: [],
    lists: {
      static_secrets: 'SecretsConfigDump.StaticSecret',
      dynamic_active_secrets: 'SecretsConfigDump.DynamicSecret',
      dynamic_warming_secrets: 'SecretsConfigDump.DynamicSecret',
    },
  },
];

const PACKAGE = 'envoy.admin.v3.';
const everyName = (): boolean => true;

export async function configDump({ query }: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  const resource = query.get('resource') ?? '';
  const mask = query.get('mask') ? new FieldMask(query.get('mask') as string) : undefined;
  const nameRegex = query.get('name_regex') ?? '';
  let matches: (name: string) => boolean = everyName;
  try {
    if (nameRegex !== '') matches = compileFullMatch(nameRegex);
  } catch (error) {
    if (!(error instanceof RegexParamError)) throw error;
    return failure(
      400,
      `INVALID_ARGUMENT: Error while parsing name_regex from ${nameRegex}: ${error.message}`,
    );
  }
  const dumps = sources(context, query.has('include_eds'), matches);
  if (resource !== '') return inTurns(oneResource(dumps, resource, mask));
  if (mask !== undefined) return inTurns(masked(dumps, mask));
  return answer(map(dumps, sectionPieces));
}

interface SectionDump {
  readonly section: Section;
  /** Asks the owner of the section. */
  readonly dump: () => Dump;
}

function sources(
  { configTracker }: AdminContext,
  includeEds: boolean,
  matches: (name: string) => boolean,
): readonly SectionDump[] {
  return SECTIONS.flatMap((section) => {
    const source = configTracker.get(section.key);
    if (source === undefined || (section.key === 'endpoint' && !includeEds)) return [];
    return [{ section, dump: () => source(matches) as Dump }];
  });
}

function* oneResource(
  dumps: readonly SectionDump[],
  resource: string,
  mask: FieldMask | undefined,
): Steps<AdminAnswer> {
  for (const { section, dump } of dumps) {
    if (section.fields.includes(resource)) {
      return failure(
        400,
        `${resource} is not a repeated field. Use ?mask=${resource} to get only this field`,
      );
    }
    const type = section.lists[resource];
    if (type === undefined) continue;
    const elements = listOf(dump(), resource);
    if (mask === undefined) return answer(map(elements, (element) => typedPieces(type, element)));
    // Whether the mask fits is known with the last of them, and said in the status.
    const trimmed: Iterable<string>[] = [];
    for (const element of elements) {
      yield '';
      if (element === '') continue;
      const json = yield* elementJson(type, element);
      if (!mask.isValid(PACKAGE + type, json)) {
        return failure(400, `FieldMask ${mask.debugString} could not be successfully used.`);
      }
      trimmed.push(objectPieces(typed(type, mask.trim(json))));
    }
    return answer(trimmed);
  }
  return failure(404, `${resource} not found in config dump`);
}

/** The sections that have all fields of the mask. */
function* masked(dumps: readonly SectionDump[], mask: FieldMask): Steps<AdminAnswer> {
  const configs: Iterable<string>[] = [];
  for (const { section, dump } of dumps) {
    if (!mask.isValid(PACKAGE + section.type)) continue;
    const json = yield* sectionJson(section, dump());
    if (mask.isValid(PACKAGE + section.type, json))
      configs.push(objectPieces(typed(section.type, mask.trim(json))));
  }
  if (configs.length > 0) return answer(configs);
  return failure(400, `FieldMask ${mask.text} could not be successfully applied to any configs.`);
}

/** The whole section, its fields in the order of their numbers. */
function* sectionJson(section: Section, message: Dump): Steps<JsonObject> {
  const json = singleFields(section, message);
  for (const [list, type] of Object.entries(section.lists)) {
    const elements: JsonObject[] = [];
    for (const element of listOf(message, list)) {
      yield '';
      if (element !== '') elements.push(yield* elementJson(type, element));
    }
    if (elements.length > 0) json[list] = elements;
  }
  return json;
}

/** Without the lists. */
function singleFields(section: Section, message: Dump): JsonObject {
  const single = { ...message };
  for (const list of Object.keys(section.lists)) delete single[list];
  return jsonOf(section.type, single);
}

function listOf(message: Dump, list: string): Iterable<object | ''> {
  return (message[list] ?? []) as Iterable<object | ''>;
}

/** A section as pieces of JSON, an element of a list each. */
function* sectionPieces({ section, dump }: SectionDump): Generator<string> {
  const message = dump();
  yield objectJson(typed(section.type, singleFields(section, message))).slice(0, -'\n  }'.length);
  for (const [list, type] of Object.entries(section.lists)) {
    const start = `,\n   "${list}": [\n`;
    let before = start;
    for (const element of listOf(message, list)) {
      if (element === '') {
        yield '';
        continue;
      }
      if (hasLargeResource(element)) {
        const json = yield* elementJson(type, element);
        yield `${before}    `;
        yield* prettyPieces(json, 4);
      } else yield before + indented(jsonOf(type, element), 4);
      before = ',\n';
    }
    if (before !== start) yield '\n   ]';
  }
  yield '\n  }';
}

/** Configs in pieces; '' in place of one is for others to have a turn. */
function answer(configs: Iterable<Iterable<string> | ''>): AdminAnswer {
  return { status: 200, contentType: 'application/json', body: configsJson(configs) };
}

function* configsJson(configs: Iterable<Iterable<string> | ''>): Generator<string> {
  let before = '{\n "configs": [\n';
  for (const config of configs) {
    if (config === '') {
      yield '';
      continue;
    }
    yield before;
    yield* config;
    before = ',\n';
  }
  yield before === ',\n' ? '\n ]\n}\n' : '{}\n';
}

function* typedPieces(type: string, element: object): Generator<string> {
  yield* objectPieces(typed(type, yield* elementJson(type, element)));
}

/** As `jsonOf`, a large one in steps. */
function* elementJson(type: string, element: object): Steps<JsonObject> {
  if (!hasLargeResource(element)) return jsonOf(type, element);
  return yield* redactedJson(PACKAGE + type, encode(PACKAGE + type, element));
}

/** Resources are in an Any of the element, or of one of its states. */
function hasLargeResource(element: object, depth = 2): boolean {
  return Object.values(element).some((value: unknown) => {
    if (typeof value !== 'object' || value === null) return false;
    return value instanceof Uint8Array ? isLarge(value) : depth > 0 && hasLargeResource(value, depth - 1);
  });
}

/** The message without its secrets, as JSON. */
function jsonOf(type: string, message: object): JsonObject {
  const typeName = PACKAGE + type;
  return toJson(typeName, redact(typeName, message), { preserveProtoFieldNames: true }) as JsonObject;
}

function typed(type: string, json: JsonObject): JsonObject {
  return { '@type': `type.googleapis.com/${PACKAGE}${type}`, ...json };
}

/** An element of `configs`. */
function objectJson(json: JsonObject): string {
  return indented(json, 2);
}

/** The same in pieces. */
function* objectPieces(json: JsonObject): Generator<string> {
  yield '  ';
  yield* prettyPieces(json, 2);
}

/** As it is `depth` lists deep, which is quicker than to indent each line. */
function indented(json: JsonObject, depth: 2 | 4): string {
  const text = prettyJson(depth === 2 ? [[json]] : [[[[json]]]]);
  // Before it a bracket and a line feed a level, behind as many spaces as there are levels outside; behind it the same, and a line feed.
  const frame = (depth * (depth + 3)) / 2;
  return text.slice(frame, -frame - 1);
}

function* map<From extends object, To>(
  items: Iterable<From | ''>,
  to: (item: From) => To,
): Generator<To | ''> {
  for (const item of items) yield item === '' ? '' : to(item);
}

function failure(status: number, body: string): AdminAnswer {
  return { status, contentType: 'text/plain', body };
}
