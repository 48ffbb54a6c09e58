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

export class ResourceDecoder {
  readonly #policy: UnknownFieldPolicy;
  readonly #onUnknownField: () => void;

  /** `onUnknownField` counts (`server.dynamic_unknown_fields`), with the policy `warn` only. */
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
    this.#onUnknownField();
    log.warning(`Unexpected unknown fields in dynamic configuration: ${text}`);
  }
}
