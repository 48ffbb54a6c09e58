// A file of resources: a YAML or JSON list of them (or `resources:` with the list), each with its `@type`. Every resource
// remembers where it stands, so that what is wrong with it can be said as file:line:column.

import path from 'node:path';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import type { Any } from '../../../xds-protos/generated/google/protobuf.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { crypto } from '../../common/builtins.ts';
import { resourceName, resourceType } from '../xds/resource_types.ts';

/** A resource as it is served. */
export interface ServedResource {
  readonly name: string;
  readonly typeUrl: string;
  /** A hash of its bytes. */
  readonly version: string;
  readonly any: Any;
  /** `file:line:column` of a field path in it: of the deepest part of the path that the file has. */
  locate(fieldPath: string): string;
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);

/** Files of other names are none of ours: an editor's backup, a README. */
export function isResourceFile(file: string): boolean {
  return EXTENSIONS.has(path.extname(file)) && !path.basename(file).startsWith('.');
}

/** Throws an Error whose message begins with `file:line:column`. */
export function parseResourceFile(file: string, text: string): ServedResource[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  return (Array.isArray(documents) ? documents : []).flatMap((document) =>
    new ResourceDocument(file, document, lines).resources(),
  );
}

class ResourceDocument {
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  resources(): ServedResource[] {
    const error = this.#document.errors[0];
    if (error !== undefined) throw new Error(`${this.#position(error.pos[0])}: ${error.message}`);
    const { contents } = this.#document;
    const list = isMap(contents) ? contents.get('resources', true) : contents;
    if (!isNode(list) || (isScalar(list) && list.value === null)) return [];
    if (!isSeq(list))
      throw new Error(`${this.#at(list)}: expected a list of resources, or 'resources:' with a list`);
    return list.items.map((item) => this.#resource(item as Node));
  }

  #resource(node: Node): ServedResource {
    const any = this.#any(node);
    const type = resourceType(any.type_url);
    if (type.service === undefined) {
      throw new Error(
        `${this.#at(find(node, '@type'))}: '${any.type_url}' is not a resource that can be served`,
      );
    }
    return {
      name: resourceName(type, any.value),
      typeUrl: type.typeUrl,
      version: crypto.createHash('sha256').update(any.value).digest('hex').slice(0, 16),
      any: { type_url: type.typeUrl, value: any.value },
      locate: (fieldPath) => this.#at(find(node, fieldPath)),
    };
  }

  #any(node: Node): Any {
    try {
      return fromJson('google.protobuf.Any', node.toJS(this.#document, { maxAliasCount: 100 }));
    } catch (error) {
      // The YAML reader's own, about aliases.
      if (!(error instanceof ConfigError)) throw new Error(`${this.#at(node)}: ${(error as Error).message}`);
      // An unknown field is told as its message's fault; its own place says more.
      const unknown = /no such field: '([^']+)'/.exec(error.reason)?.[1];
      const where = unknown === undefined ? error.path : at(error.path, unknown);
      throw new Error(`${this.#at(find(node, where))}: ${error.message}`);
    }
  }

  #at(node: Node): string {
    return this.#position(node.range?.[0] ?? 0);
  }

  #position(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#file}:${line}:${col}`;
  }
}

/** The node at `fieldPath` (`filter_chains[0].name`) below `node`, or its nearest ancestor that exists. */
function find(node: Node, fieldPath: string): Node {
  let found = node;
  let rest = fieldPath;
  for (;;) {
    const index = /^\[(\d+)\]\.?/.exec(rest);
    if (index !== null && isSeq(found)) {
      const item = found.items[Number(index[1])];
      if (!isNode(item)) return found;
      found = item;
      rest = rest.slice(index[0].length);
      continue;
    }
    const step = isMap(found) ? longestKey(found.items, rest) : undefined;
    if (step === undefined) return found;
    found = step.value;
    rest = rest.slice(step.length).replace(/^\./, '');
  }
}

/** A key may hold dots itself, as the names of filters do: the longest one that fits is meant. */
function longestKey(
  items: readonly { key: unknown; value: unknown }[],
  rest: string,
): { value: Node; length: number } | undefined {
  let best: { value: Node; length: number } | undefined;
  for (const { key, value } of items) {
    const text = isScalar(key) ? String(key.value) : '';
    const ends = text !== '' && rest.startsWith(text) && /^(\[|\.|$)/.test(rest.slice(text.length));
    if (ends && isNode(value) && text.length > (best?.length ?? 0)) best = { value, length: text.length };
  }
  return best;
}
