// What an endpoint of the JSON interface is, and how its parameters are read: described once, in the words of OpenAPI, from
// which the document and the checks are made. https://spec.openapis.org/oas/v3.1.0

import type { IncomingMessage } from 'node:http';
import type { Json } from '../../../../xds-protos/json.ts';
import type { AdminAccess, Caller } from '../access.ts';
import type { AdminContext } from '../context.ts';

/** A part of JSON Schema. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array';
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly default?: string | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

export interface ApiParam {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly description: string;
  readonly schema: Schema;
}

export interface ApiEndpoint {
  /** With `{name}` for a parameter. */
  readonly path: string;
  /** GET where it is not said. Two endpoints may have one path. */
  readonly method?: 'POST';
  /** Changes something: for the role `admin` only, and never by GET. */
  readonly mutates?: true;
  readonly summary: string;
  readonly params: readonly ApiParam[];
  /** Of the JSON object that is posted. */
  readonly body?: Schema;
  /** Of the answer; undefined where it is not JSON. */
  readonly response: Schema | undefined;
  /** `body` is what was posted, checked against its schema. Throws ApiError. */
  readonly handle: (
    params: ApiParams,
    context: AdminContext,
    body: Readonly<Record<string, Json>>,
    from: ApiSender,
  ) => ApiResult | Promise<ApiResult>;
}

/** Whose request it is. */
export interface ApiSender {
  readonly caller: Caller;
  readonly access: AdminAccess;
  readonly message: IncomingMessage;
}

/** JSON, maybe with headers, or a stream of server-sent events. */
export type ApiResult =
  | { readonly json: Json; readonly headers?: Readonly<Record<string, string>> }
  | { readonly events: AsyncIterable<string> };

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Parameters that were checked against their descriptions. */
export class ApiParams {
  readonly #values = new Map<string, string | number>();

  /** Throws ApiError (400) for a parameter that is not known, comes twice, or has a value that is not allowed. */
  constructor(endpoint: ApiEndpoint, path: Readonly<Record<string, unknown>>, query: URLSearchParams) {
    const known = new Map(endpoint.params.map((param) => [param.name, param]));
    for (const [name, value] of Object.entries(path)) this.#set(known.get(name)!, String(value));
    for (const name of new Set(query.keys())) {
      const param = known.get(name);
      if (param?.in !== 'query') throw new ApiError(400, `unknown parameter '${name}'`);
      const values = query.getAll(name);
      if (values.length > 1) throw new ApiError(400, `parameter '${name}' is given more than once`);
      this.#set(param, values[0] as string);
    }
    for (const { name, schema } of known.values()) {
      if (!this.#values.has(name) && schema.default !== undefined) this.#values.set(name, schema.default);
    }
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : String(value);
  }

  /** Of a parameter that has a default, or is in the path. */
  integer(name: string): number {
    return this.#values.get(name) as number;
  }

  #set({ name, schema }: ApiParam, value: string): void {
    if (schema.type === 'integer') {
      const number = Number(value);
      const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
      if (!/^\d+$/.test(value) || number < minimum || number > maximum)
        throw new ApiError(400, `parameter '${name}' must be a whole number from ${minimum} to ${maximum}`);
      this.#values.set(name, number);
      return;
    }
    if (schema.enum !== undefined && !schema.enum.includes(value))
      throw new ApiError(400, `parameter '${name}' must be one of ${schema.enum.join(', ')}`);
    this.#values.set(name, value);
  }
}
