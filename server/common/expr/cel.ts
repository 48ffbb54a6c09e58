// The CEL library, loaded with the first expression: 5 MB in each thread that has one.

import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import type * as CelExtensions from '@bufbuild/cel/ext';
import type * as CelSyntax from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type * as Protobuf from '@bufbuild/protobuf';
import type * as WellKnown from '@bufbuild/protobuf/wkt';

const require = createRequire(import.meta.url);

export const cel = require('@bufbuild/cel') as typeof Cel;
const wellKnown = require('@bufbuild/protobuf/wkt') as typeof WellKnown;

export const {
  celFunc,
  CelScalar,
  celUint,
  isCelError,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
  listType,
} = cel;
export type { Expr };
export type CelInput = Cel.CelInput;
export type CelValue = Cel.CelValue;
export type CelFunc = Cel.CelFunc;

export function stringFunctions(): readonly CelFunc[] {
  return (require('@bufbuild/cel/ext') as typeof CelExtensions).strings;
}

/** An expression in wire bytes: cel.expr.Expr, of which google.api.expr.v1alpha1.Expr is the older name. */
export function exprOf(bytes: Uint8Array): Expr {
  const { ExprSchema } = require('@bufbuild/cel-spec/cel/expr/syntax_pb.js') as typeof CelSyntax;
  return (require('@bufbuild/protobuf') as typeof Protobuf).fromBinary(ExprSchema, bytes);
}

/** Wall-clock ms since 1970, fractions allowed. */
export function timestampFromMs(ms: number): CelInput {
  const micros = BigInt(Math.round(ms * 1000));
  const message = wellKnown.timestampFromMs(0);
  message.seconds = micros / 1_000_000n;
  message.nanos = Number(micros % 1_000_000n) * 1000;
  return message;
}

/** Fractions allowed. */
export function durationFromMs(ms: number): CelInput {
  const nanos = BigInt(Math.round(ms * 1_000_000));
  const message = wellKnown.durationFromMs(0);
  message.seconds = nanos / 1_000_000_000n;
  message.nanos = Number(nanos % 1_000_000_000n);
  return message;
}
