// Enforces the protoc-gen-validate rules of the descriptors, in messages and all that they hold; not in Anys, whose
// content is validated by who opens it. Rules are compiled once a type, when the first message of it comes.

import { ConfigError } from '../server/api/config_error.ts';
import type { Field, Message, MessageType, Rules } from './descriptors.ts';
import { messageType } from './descriptors.ts';
import { isWrapper } from './json_read.ts';
import { compileRule, type Rule } from './validate_rules.ts';

export interface ConfigViolation {
  /** The proto field path, e.g. `static_resources.clusters[0].name`. */
  readonly path: string;
  /** E.g. `value length must be at least 1 characters`. */
  readonly reason: string;
  /** As Envoy prints it: `ClusterValidationError.Name: value length must be at least 1 characters`, with the chain of causes. */
  readonly text: string;
}

export interface ValidateOptions {
  /** Put before every path. */
  readonly path?: string;
  /** Stop after so many violations; all by default. */
  readonly limit?: number;
}

interface FieldCheck {
  readonly field: Field;
  readonly required: boolean;
  readonly isWrapped: boolean;
  /** Of a list or a map as a whole. */
  readonly whole: Rule | undefined;
  readonly key: Rule | undefined;
  /** Of each value. */
  readonly one: Rule | undefined;
  readonly isNested: boolean;
}

interface TypeChecks {
  /** Fields outside oneofs first, as protoc-gen-validate orders them. */
  readonly fields: readonly FieldCheck[];
  readonly requiredOneofs: readonly { readonly name: string; readonly members: readonly string[] }[];
}

// Of a oneof member it says nothing: a member that is not set is not the one that was chosen.
const REQUIRABLE = ['message', 'any', 'duration', 'timestamp'];

const compiled = new WeakMap<MessageType, TypeChecks>();

/** Every violation, in the order Envoy looks. */
export function validate(
  typeName: string,
  message: object,
  options: ValidateOptions = {},
): ConfigViolation[] {
  const validation = new Validation(options.path ?? '', options.limit ?? Number.POSITIVE_INFINITY);
  validation.message(messageType(typeName), message as Message);
  return validation.violations;
}

/** Throws ConfigError, with the path of the first violation and Envoy's text for it. */
export function assertValid(typeName: string, message: object, path = ''): void {
  const violation = validate(typeName, message, { path, limit: 1 })[0];
  if (violation === undefined) return;
  throw new ConfigError(violation.path, `Proto constraint validation failed (${violation.text})`);
}

function checksOf(type: MessageType): TypeChecks {
  let checks = compiled.get(type);
  if (checks === undefined) compiled.set(type, (checks = compileType(type)));
  return checks;
}

function compileType(type: MessageType): TypeChecks {
  if (type.unvalidated) return { fields: [], requiredOneofs: [] };
  const ordered = [
    ...type.declared.filter((field) => field.oneof === undefined),
    ...type.declared.filter((field) => field.oneof !== undefined),
  ];
  const requiredOneofs = type.oneofs
    .filter((oneof) => oneof.required)
    .map(({ name }) => ({
      name,
      members: type.fields.filter((field) => field.oneof === name).map((field) => field.name),
    }));
  return { fields: ordered.map(compileField).filter((check) => check !== undefined), requiredOneofs };
}

function compileField(field: Field): FieldCheck | undefined {
  const rules = field.rules ?? {};
  const list = rules['repeated'] as Rules | undefined;
  const map = rules['map'] as Rules | undefined;
  const valueRules = (list?.['items'] ?? map?.['values'] ?? (list || map ? {} : rules)) as Rules;
  const isMessage = field.type === 'message';
  const own = isMessage ? field.message.name : '';
  const skip = [valueRules, rules].some((rule) => (rule['message'] as Rules | undefined)?.['skip'] === true);
  const check: FieldCheck = {
    field,
    required:
      field.oneof === undefined && REQUIRABLE.some((kind) => (rules[kind] as Rules)?.['required'] === true),
    isWrapped: isMessage && isWrapper(own),
    whole: list ? sizeRule(list, 'items', 'item(s)') : map ? sizeRule(map, 'pairs', 'pair(s)') : undefined,
    key: map?.['keys'] === undefined ? undefined : compileRule(field, field.key!, map['keys'] as Rules),
    one: compileRule(field, field.type, valueRules),
    // Nothing in google.protobuf has rules, and Structs can be large.
    isNested: isMessage && !own.startsWith('google.protobuf.') && !skip,
  };
  return check.required || check.whole || check.key || check.one || check.isNested ? check : undefined;
}

function sizeRule(rules: Rules, noun: string, unit: string): Rule {
  const least = (rules[`min_${noun}`] ?? 0) as number;
  const most = (rules[`max_${noun}`] ?? Number.POSITIVE_INFINITY) as number;
  let reason = `value must contain no more than ${most} ${unit}`;
  if (least === most) reason = `value must contain exactly ${least} ${unit}`;
  else if (least > 0 && most < Number.POSITIVE_INFINITY) {
    reason = `value must contain between ${least} and ${most} ${noun}, inclusive`;
  } else if (least > 0) reason = `value must contain at least ${least} ${unit}`;
  return (value) => {
    const size = Array.isArray(value) ? value.length : Object.keys(value as object).length;
    if (size === 0 && rules['ignore_empty'] === true) return undefined;
    if (size < least || size > most) return reason;
    if (rules['unique'] === true && new Set(value as unknown[]).size < size) {
      return 'repeated value must contain unique items';
    }
    return undefined;
  };
}

/** `LbPolicy` for `lb_policy`, as in the names of protoc-gen-validate's errors. */
function upperCamel(name: string): string {
  return name.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

class Validation {
  readonly violations: ConfigViolation[] = [];
  readonly #base: string;
  readonly #limit: number;
  readonly #types: MessageType[] = [];
  readonly #fields: Field[] = [];
  /** The index or key in the field of the same place; undefined for a field that is neither list nor map. */
  readonly #indexes: (number | string | undefined)[] = [];

  constructor(base: string, limit: number) {
    this.#base = base;
    this.#limit = limit;
  }

  message(type: MessageType, message: Message): void {
    const { fields, requiredOneofs } = checksOf(type);
    if (fields.length === 0 && requiredOneofs.length === 0) return;
    this.#types.push(type);
    for (const check of fields) {
      if (this.violations.length >= this.#limit) break;
      this.#field(check, message[check.field.name] ?? undefined);
    }
    for (const { name, members } of requiredOneofs) {
      if (this.violations.length >= this.#limit) break;
      if (members.every((member) => message[member] === undefined)) this.#missing(name);
    }
    this.#types.pop();
  }

  #field(check: FieldCheck, value: unknown): void {
    const { field } = check;
    if (value === undefined) {
      if (check.required) this.#at(field, undefined, 'value is required');
      else if (!field.presence)
        this.#field(check, field.key !== undefined ? {} : field.repeated ? [] : field.zero);
      return;
    }
    if (check.whole !== undefined) {
      const reason = check.whole(value);
      if (reason !== undefined) this.#at(field, undefined, reason);
    }
    if (field.repeated) {
      const list = value as readonly unknown[];
      for (let index = 0; index < list.length; index++) this.#value(check, list[index], index);
    } else if (field.key !== undefined) this.#map(check, value as Message);
    else this.#value(check, value, undefined);
  }

  #map(check: FieldCheck, map: Message): void {
    for (const key of Object.keys(map)) {
      const reason = check.key?.(key);
      if (reason !== undefined) this.#at(check.field, key, reason);
      this.#value(check, map[key], key);
    }
  }

  #value(check: FieldCheck, value: unknown, index: number | string | undefined): void {
    if (check.one !== undefined) {
      const reason = check.one(check.isWrapped ? (value as { value: unknown }).value : value);
      if (reason !== undefined) this.#at(check.field, index, reason);
    }
    if (!check.isNested || this.violations.length >= this.#limit) return;
    this.#fields.push(check.field);
    this.#indexes.push(index);
    this.message(check.field.message, value as Message);
    this.#fields.pop();
    this.#indexes.pop();
  }

  /** Adds a violation of a field of the innermost message. */
  #at(field: Field, index: number | string | undefined, reason: string): void {
    this.#fields.push(field);
    this.#indexes.push(index);
    this.violations.push({
      path: this.#path(),
      reason,
      text: `${this.#causes(this.#fields.length - 1)}${this.#label(this.#fields.length - 1)}: ${reason}`,
    });
    this.#fields.pop();
    this.#indexes.pop();
  }

  #missing(oneof: string): void {
    const outer = this.#path();
    const reason = 'is required';
    this.violations.push({
      path: outer === '' ? oneof : `${outer}.${oneof}`,
      reason,
      text: `${this.#causes(this.#fields.length)}field: "${oneof}", reason: ${reason}`,
    });
  }

  #path(): string {
    let path = this.#base;
    this.#fields.forEach((field, at) => {
      const index = this.#indexes[at];
      path += (path === '' ? '' : '.') + field.name;
      if (typeof index === 'number') path += `[${index}]`;
      else if (index !== undefined) path += `.${index}`;
    });
    return path;
  }

  #label(at: number): string {
    const type = this.#types[at]!.name;
    const index = this.#indexes[at];
    const suffix = index === undefined ? '' : `[${index}]`;
    return `${type.slice(type.lastIndexOf('.') + 1)}ValidationError.${upperCamel(this.#fields[at]!.name)}${suffix}`;
  }

  /** The chain of the messages above the place `depth`. */
  #causes(depth: number): string {
    let text = '';
    for (let at = 0; at < depth; at++)
      text += `${this.#label(at)}: embedded message failed validation | caused by `;
    return text;
  }
}
