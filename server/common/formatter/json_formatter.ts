// JSON logs: the configured structure with its strings compiled as formats. Keys are sorted, one operator alone keeps its
// type, a missing value is null. Envoy: source/common/formatter/substitution_formatter.cc (JsonFormatterImpl).

import type { Json } from '../../../xds-protos/well_known.ts';
import type { Formatter, LogContext } from '../../api/access_log.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { type FormatterProvider, PlainString } from './formatter_provider.ts';
import { compareBytes, jsonString, jsonValue } from './json_text.ts';

/** Prints one value; undefined means that there is none and it is to be left out. */
interface JsonNode {
  write(context: LogContext): string | undefined;
}

class FixedNode implements JsonNode {
  private readonly json: string | undefined;
  constructor(json: string | undefined) {
    this.json = json;
  }
  write(): string | undefined {
    return this.json;
  }
}

class OperatorNode implements JsonNode {
  private readonly provider: FormatterProvider;
  private readonly missing: string | undefined;
  constructor(provider: FormatterProvider, missing: string | undefined) {
    this.provider = provider;
    this.missing = missing;
  }
  write(context: LogContext): string | undefined {
    return this.provider.formatJson(context) ?? this.missing;
  }
}

/** Several operators, or text and operators: always a string. */
class TemplateNode implements JsonNode {
  private readonly providers: readonly FormatterProvider[];
  private readonly missing: string;
  constructor(providers: readonly FormatterProvider[], missing: string) {
    this.providers = providers;
    this.missing = missing;
  }
  write(context: LogContext): string {
    let text = '';
    for (const provider of this.providers) text += provider.format(context) ?? this.missing;
    return jsonString(text);
  }
}

class ObjectNode implements JsonNode {
  /** `"name":` of each field. */
  private readonly keys: readonly string[];
  private readonly values: readonly JsonNode[];
  private readonly empty: string | undefined;
  constructor(keys: readonly string[], values: readonly JsonNode[], empty: string | undefined) {
    this.keys = keys;
    this.values = values;
    this.empty = empty;
  }
  write(context: LogContext): string | undefined {
    let json = '';
    for (let i = 0; i < this.values.length; i++) {
      const value = this.values[i].write(context);
      if (value === undefined) continue;
      json += json === '' ? this.keys[i] + value : `,${this.keys[i]}${value}`;
    }
    return json === '' ? this.empty : `{${json}}`;
  }
}

class ListNode implements JsonNode {
  private readonly values: readonly JsonNode[];
  constructor(values: readonly JsonNode[]) {
    this.values = values;
  }
  write(context: LogContext): string {
    let json = '';
    for (const node of this.values) {
      const value = node.write(context);
      if (value === undefined) continue;
      json += json === '' ? value : `,${value}`;
    }
    return `[${json}]`;
  }
}

/** A JSON line per entry, with its newline. */
export class JsonFormatter implements Formatter {
  private readonly root: JsonNode;

  /** `parse` compiles a string of the structure. With `omitEmptyValues`, missing values and empty objects are left out. */
  constructor(
    structure: Json,
    omitEmptyValues: boolean,
    parse: (format: string) => readonly FormatterProvider[],
  ) {
    this.root = compileNode(structure, omitEmptyValues, parse);
  }

  format(context: LogContext): string {
    return `${this.root.write(context) ?? '{}'}\n`;
  }
}

function compileNode(
  value: Json,
  omitEmpty: boolean,
  parse: (format: string) => readonly FormatterProvider[],
): JsonNode {
  if (typeof value === 'string') {
    const providers = parse(value);
    const [first] = providers;
    if (providers.length > 1) return new TemplateNode(providers, omitEmpty ? '' : '-');
    if (first instanceof PlainString) return new FixedNode(jsonString(first.text));
    return new OperatorNode(first, omitEmpty ? undefined : 'null');
  }
  if (Array.isArray(value)) return new ListNode(value.map((item) => compileNode(item, omitEmpty, parse)));
  if (value === null) return new FixedNode(omitEmpty ? undefined : 'null');
  if (typeof value !== 'object') return new FixedNode(jsonValue(value));
  const fields = Object.entries(value).sort(([a], [b]) => compareBytes(a, b));
  return new ObjectNode(
    fields.map(([key]) => `${jsonString(latin1Of(key))}:`),
    fields.map(([, field]) => compileNode(field, omitEmpty, parse)),
    omitEmpty ? undefined : '{}',
  );
}
