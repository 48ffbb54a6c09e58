// Matchers of a match tree's predicates beside those of text (custom_match): ranges of addresses, shares of hashed values, metadata, CEL.
// Envoy: source/extensions/matching/input_matchers. Loaded with the first predicate that has one.

import { createRequire } from 'node:module';
import type { ConsistentHashing } from '../../../xds-protos/generated/envoy/extensions/matching/input_matchers/consistent_hashing/v3.ts';
import type { Ip } from '../../../xds-protos/generated/envoy/extensions/matching/input_matchers/ip/v3.ts';
import type { Metadata } from '../../../xds-protos/generated/envoy/extensions/matching/input_matchers/metadata/v3.ts';
import type { RuntimeFraction } from '../../../xds-protos/generated/envoy/extensions/matching/input_matchers/runtime_fraction/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { CelMatcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny, encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { xxHash64 } from '../hash/xx_hash_64.ts';
import { CidrRange, parseIp } from '../network/address.ts';
import { compileRuntimeFraction } from '../router/runtime_fraction.ts';
import { leaf } from './explain.ts';
import type { MatchInput, Predicate } from './match_predicate.ts';
import { compileValueMatcher } from './value_matcher.ts';

const require = createRequire(import.meta.url);
const INPUT_MATCHERS = 'envoy.extensions.matching.input_matchers.';

/** A condition on what the input gives. */
type Test = (value: string) => boolean;

/** Throws ConfigError. */
export function compileInputMatcher<Data>(
  { name, typed_config: typed }: TypedExtensionConfig,
  input: MatchInput<Data>,
  context: FactoryContext,
  path: string,
): Predicate<Data> {
  const where = at(path, 'typed_config');
  if (typed === undefined) throw new ConfigError(where, 'value is required');
  const { typeName, message } = decodeAny(typed, where);
  if (typeName === 'xds.type.matcher.v3.CelMatcher') {
    const cel = message as unknown as CelMatcher;
    return celPredicate(cel, input, context, where);
  }
  if (input.attributes !== undefined)
    throw new ConfigError(path, 'Unsupported data input type: cel_data_input');
  const kind = typeName.startsWith(INPUT_MATCHERS) ? typeName.slice(INPUT_MATCHERS.length) : '';
  switch (kind) {
    case 'ip.v3.Ip': {
      const ranges = (message as unknown as Ip).cidr_ranges.map((range, i) =>
        CidrRange.compile(range, at(at(where, 'cidr_ranges'), i)),
      );
      const inRange: Test = (value) => {
        const ip = parseIp(value);
        return ip !== undefined && ranges.some((range) => range.contains(ip));
      };
      return textPredicate(input, `is in ${ranges.map(({ text }) => text).join(', ')}`, inRange);
    }
    case 'consistent_hashing.v3.ConsistentHashing': {
      const { threshold, modulo, seed } = message as unknown as ConsistentHashing;
      if (threshold > modulo)
        throw new ConfigError(where, `threshold cannot be greater than modulo: ${threshold} > ${modulo}`);
      const share = `hashes to ${threshold} or more of ${modulo}`;
      return textPredicate(input, share, (value) => xxHash64(value, seed) % BigInt(modulo) >= threshold);
    }
    case 'runtime_fraction.v3.RuntimeFraction': {
      const { runtime_fraction: config, seed } = message as unknown as RuntimeFraction;
      if (config === undefined) throw new ConfigError(at(where, 'runtime_fraction'), 'value is required');
      const fraction = compileRuntimeFraction(config, context.runtime, at(where, 'runtime_fraction'));
      return textPredicate(input, `hashes into ${fraction.describe()}`, (value) =>
        fraction.enabled(remainder(xxHash64(value, seed))),
      );
    }
    case 'metadata.v3.Metadata': {
      const { value, invert } = message as unknown as Metadata;
      const matcher = compileValueMatcher(value, at(where, 'value'));
      const what = `${invert ? 'not: ' : ''}${input.name} ${matcher.describe()}`;
      // Of an input that gives text there is no metadata, inverted or not.
      const match = (data: Data): boolean =>
        input.metadata !== undefined && matcher.match(input.metadata(data)) !== invert;
      return {
        match,
        explain: (data) =>
          leaf(what, match(data), `the value is ${JSON.stringify(input.metadata?.(data)) ?? 'absent'}`),
      };
    }
    default:
      throw new ConfigError(
        where,
        `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`,
      );
  }
}

/** Of a million, the greatest denominator: what fractions look at, and a safe integer. */
function remainder(hash: bigint): number {
  return Number(hash % 1_000_000n);
}

function textPredicate<Data>(input: MatchInput<Data>, condition: string, test: Test): Predicate<Data> {
  const match = (data: Data): boolean => {
    const value = input.get(data);
    return value !== undefined && test(value);
  };
  return {
    match,
    explain(data) {
      const value = input.get(data);
      const found = value === undefined ? 'there is no value' : `the value is '${value}'`;
      return leaf(`${input.name} ${condition}`, match(data), found);
    },
  };
}

function celPredicate<Data>(
  { expr_match: expression, description }: CelMatcher,
  { attributes }: MatchInput<Data>,
  context: FactoryContext,
  path: string,
): Predicate<Data> {
  if (attributes === undefined) throw new ConfigError(path, 'Unsupported data input type: string');
  const where = at(path, 'expr_match');
  const { compileCelExpr } =
    require('../expr/cel_expression.ts') as typeof import('../expr/cel_expression.ts');
  const parsed = expression?.parsed_expr ?? expression?.cel_expr_parsed;
  const checked = expression?.checked_expr ?? expression?.cel_expr_checked;
  const expr = parsed?.expr ?? checked?.expr;
  if (expr === undefined)
    throw new ConfigError(where, 'failed to create an expression: CEL expression not set.');
  const bytes = encode('google.api.expr.v1alpha1.Expr', expr);
  const compiled = compileCelExpr(bytes, undefined, context, where);
  return {
    match: (data) => compiled.matches(attributes(data)),
    explain(data) {
      const value = compiled.evaluate(attributes(data));
      const found = value === undefined ? 'it comes to an error' : `it comes to ${String(value)}`;
      return leaf(
        description === '' ? 'CEL expression' : `CEL expression: ${description}`,
        value === true,
        found,
      );
    },
  };
}
