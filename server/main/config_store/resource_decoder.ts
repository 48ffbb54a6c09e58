// From wire bytes to a checked message: decode, fields this build does not know, protoc-gen-validate rules.
// Envoy: source/common/protobuf/utility.h (downcastAndValidate), message_validator_impl.cc.

import { decode, type TypeMap } from '../../../xds-protos/load.ts';
import { unknownFields } from '../../../xds-protos/unknown_fields.ts';
import { assertValid } from '../../../xds-protos/validate.ts';
import { ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';

const log = logger('config');

/** --reject-unknown-dynamic-fields, the default, and --ignore-unknown-dynamic-fields. */
export type UnknownFieldPolicy = 'reject' | 'warn' | 'ignore';

/** Warnings that are remembered. */
const MAX_WARNINGS = 10_000;

export class ResourceDecoder {
  readonly #policy: UnknownFieldPolicy;
  /** What was warned of, so that a field that all of 100,000 resources have is told once, as in Envoy. */
  readonly #warned = new Set<string>();
  readonly #onUnknownField: () => void;

  /** `onUnknownField` counts (`server.dynamic_unknown_fields`), with the policy `warn` only, each kind of message and fields once. */
  constructor(policy: UnknownFieldPolicy, onUnknownField: () => void) {
    this.#policy = policy;
    this.#onUnknownField = onUnknownField;
  }

  /** Throws ConfigError for bytes that are no such message or break its rules. */
  decode<K extends keyof TypeMap>(typeName: K, bytes: Uint8Array): TypeMap[K] {
    const message = decode(typeName, bytes);
    if (this.#policy !== 'ignore') this.#checkUnknown(typeName, bytes);
    assertValid(typeName, message as object, '');
    return message;
  }

  #checkUnknown(typeName: string, bytes: Uint8Array): void {
    const unknown = unknownFields(typeName, bytes);
    if (unknown.length === 0) return;
    const text = `Protobuf message (type ${typeName} with unknown field set {${unknown.join(', ')}}) has unknown fields`;
    if (this.#policy === 'reject') throw new ConfigError('', text);
    if (this.#warned.has(text)) return;
    if (this.#warned.size >= MAX_WARNINGS) this.#warned.clear();
    this.#warned.add(text);
    this.#onUnknownField();
    log.warning(`Unexpected unknown fields in dynamic configuration: ${text}`);
  }
}
