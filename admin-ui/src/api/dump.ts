// A /config_dump file of any Envoy, opened in the browser: answers the calls for resources as the proxy would. Nothing is uploaded.

import { certificateUses } from '../config/certificates.ts';
import { routeRows } from '../config/routeRows.ts';
import type { Query } from './client.ts';
import { Explainer } from './explainer.ts';
import type { CertificateUse } from './proxyTypes.ts';
import type { JsonObject, Page, ResourceDetail, ResourceKind, ResourceSummary, RouteRow } from './types.ts';

/** Where each kind is in envoy.admin.v3.*ConfigDump: the lists, and the field of an element that holds the resource. */
const SECTIONS: readonly {
  readonly kind: ResourceKind;
  readonly lists: readonly string[];
  readonly field: string;
}[] = [
  {
    kind: 'cluster',
    lists: ['static_clusters', 'dynamic_active_clusters', 'dynamic_warming_clusters'],
    field: 'cluster',
  },
  { kind: 'listener', lists: ['static_listeners', 'dynamic_listeners'], field: 'listener' },
  { kind: 'route', lists: ['static_route_configs', 'dynamic_route_configs'], field: 'route_config' },
  {
    kind: 'endpoints',
    lists: ['static_endpoint_configs', 'dynamic_endpoint_configs'],
    field: 'endpoint_config',
  },
  {
    kind: 'secret',
    lists: ['static_secrets', 'dynamic_active_secrets', 'dynamic_warming_secrets'],
    field: 'secret',
  },
  { kind: 'extension', lists: ['ecds_filters'], field: 'ecds_filter' },
];

const DEFAULT_LIMIT = 50;

export class Dump {
  readonly name: string;
  readonly resources: readonly ResourceDetail[];
  readonly #json: unknown;
  #explainer: Explainer | undefined;
  #routeRows: readonly RouteRow[] | undefined;
  #certificateUses: readonly CertificateUse[] | undefined;

  /** Throws Error when `text` is no /config_dump. */
  constructor(name: string, text: string) {
    const json = JSON.parse(text) as { configs?: readonly JsonObject[] };
    const { configs } = json;
    if (!Array.isArray(configs))
      throw new Error('it has no field "configs", so it is no /config_dump in JSON');
    this.name = name;
    this.#json = json;
    this.resources = configs.flatMap(resourcesOf);
  }

  /** Throws Error for what a file cannot tell. */
  answer(path: string, query: Query): unknown {
    if (path === '/api/resources') return this.#page(query);
    if (path === '/api/routes') return this.#routes(query);
    if (path === '/api/certificates') return this.#certificates(query);
    const detail = /^\/api\/resources\/([^/]+)\/(.+)$/.exec(path);
    if (detail !== null) {
      const [kind, name] = [detail[1], decodeURIComponent(detail[2] as string)];
      const found = this.resources.find((each) => each.kind === kind && each.name === name);
      if (found !== undefined) return found;
      throw new Error(`no ${kind} '${name}' in this file`);
    }
    throw new Error('a /config_dump file does not tell this; only a running proxy does');
  }

  /** As POST /api/explain; throws Error for what a file cannot tell. The code for it is loaded with the first question. */
  explain(question: unknown): Promise<unknown> {
    this.#explainer ??= new Explainer(this.#json);
    return this.#explainer.ask(question);
  }

  close(): void {
    this.#explainer?.close();
  }

  #routes({ search, route_config: config, virtual_host: host, offset, limit }: Query): Page<RouteRow> {
    const text = String(search ?? '').toLowerCase();
    this.#routeRows ??= routeRows(this.resources);
    const found = this.#routeRows.filter(
      (row) =>
        (config === undefined || row.route_config === config) &&
        (host === undefined || row.virtual_host === host) &&
        [row.name, ...row.domains, row.match, row.action].join(' ').toLowerCase().includes(text),
    );
    const start = Number(offset ?? 0);
    return {
      total: found.length,
      offset: start,
      items: found.slice(start, start + Number(limit ?? DEFAULT_LIMIT)),
    };
  }

  #page({ kind, state, ...query }: Query): Page<ResourceSummary> {
    const found = this.resources.filter(
      (each) => (kind === undefined || each.kind === kind) && (state === undefined || each.state === state),
    );
    return sortedPage(found, query, ['name', 'updated_at', 'size_bytes']);
  }

  #certificates(query: Query): Page<CertificateUse> {
    this.#certificateUses ??= certificateUses(this.resources);
    return sortedPage(this.#certificateUses, query, ['expires_at', 'name']);
  }
}

/** As the proxy makes pages of lists: by a part of the name, sorted by one of `fields`. */
function sortedPage<Item extends { readonly name: string }>(
  all: readonly Item[],
  { search, sort, offset, limit }: Query,
  fields: readonly (keyof Item & string)[],
): Page<Item> {
  const text = String(search ?? '').toLowerCase();
  const found = all.filter(({ name }) => name.toLowerCase().includes(text));
  const wanted = String(sort ?? fields[0]);
  const by = fields.find((field) => field === wanted.replace(/^-/, '')) ?? fields[0]!;
  const direction = wanted.startsWith('-') ? -1 : 1;
  found.sort((a, b) => direction * (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0));
  const start = Number(offset ?? 0);
  return {
    total: found.length,
    offset: start,
    items: found.slice(start, start + Number(limit ?? DEFAULT_LIMIT)),
  };
}

function resourcesOf(section: JsonObject): ResourceDetail[] {
  return SECTIONS.flatMap(({ kind, lists, field }) =>
    lists.flatMap((list) =>
      (Array.isArray(section[list]) ? (section[list] as readonly JsonObject[]) : []).map((element) =>
        detailOf(kind, list, field, element),
      ),
    ),
  );
}

function detailOf(kind: ResourceKind, list: string, field: string, element: JsonObject): ResourceDetail {
  // A dynamic listener has its versions in states; of the others each list is a state.
  const active = (element['active_state'] ?? element) as JsonObject;
  const warming = element['warming_state'] as JsonObject | undefined;
  const version = active[field] === undefined ? (warming ?? active) : active;
  const resource = (version[field] ?? {}) as JsonObject;
  const failure = element['error_state'] as JsonObject | undefined;
  const rejected = version[field] === undefined && failure !== undefined;
  const state = rejected
    ? 'rejected'
    : version === warming || list.includes('warming')
      ? 'warming'
      : 'active';
  return {
    kind,
    name: String(element['name'] ?? resource['name'] ?? resource['cluster_name'] ?? ''),
    state,
    static: list.startsWith('static'),
    version: String(version['version_info'] ?? ''),
    updated_at: timeOf(version['last_updated']),
    size_bytes: JSON.stringify(resource).length,
    warming: warming !== undefined && version === active,
    ...(failure !== undefined && {
      rejection: {
        path: '',
        reason: String(failure['details'] ?? ''),
        version: String(failure['version_info'] ?? ''),
        at: timeOf(failure['last_update_attempt']),
      },
    }),
    resource,
  };
}

function timeOf(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) || 0 : 0;
}

let open: Dump | undefined;
const listeners = new Set<() => void>();

export function openDump(): Dump | undefined {
  return open;
}

/** Shows `dump` instead of the proxy; undefined goes back to the proxy. */
export function showDump(dump: Dump | undefined): void {
  open?.close();
  open = dump;
  for (const listener of listeners) listener();
}

export function observeDump(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
