// CEL expressions over Envoy's attributes, as Envoy's builder allows them: no comprehensions, no conversion to text and no
// concatenation unless asked for, and no function that nobody knows. Loaded by require with the first configuration that has one.
// Envoy: source/extensions/filters/common/expr/evaluator.cc.

import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { re2js } from '../packages.ts';
import { type Attributes, compileAttributes, UNKNOWN_ATTRIBUTES } from './attributes.ts';
import {
  type CelFunc,
  type CelInput,
  CelScalar,
  type CelValue,
  cel,
  celFunc,
  type Expr,
  exprOf,
  isCelError,
  listType,
  stringFunctions,
} from './cel.ts';

/** cel-cpp's built-in functions that evaluate here. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['_?_:_', '_&&_', '_||_', '!_', '-_', '_+_', '_-_', '_*_', '_/_', '_%_', '_[_]', '@in'],
  ...['_==_', '_!=_', '_<_', '_<=_', '_>_', '_>=_'],
  ...['size', 'contains', 'startsWith', 'endsWith', 'matches'],
  ...['int', 'uint', 'double', 'bool', 'bytes', 'duration', 'timestamp', 'type', 'dyn'],
  ...['getFullYear', 'getMonth', 'getDayOfYear', 'getDayOfMonth', 'getDate', 'getDayOfWeek'],
  ...['getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
]);
const STRING_FUNCTIONS = [
  'charAt',
  'indexOf',
  'lastIndexOf',
  'lowerAscii',
  'upperAscii',
  'replace',
  'split',
  'join',
  'substring',
  'trim',
  'format',
  'reverse',
];

const notConcatenated = (): never => {
  throw new Error('no matching overload');
};

/** What `+` is not for, unless `enable_string_concat` says so. */
const NO_CONCATENATION: readonly CelFunc[] = [
  celFunc('_+_', [CelScalar.STRING, CelScalar.STRING], CelScalar.STRING, notConcatenated),
  celFunc('_+_', [CelScalar.BYTES, CelScalar.BYTES], CelScalar.BYTES, notConcatenated),
];
const NO_LIST_CONCATENATION: readonly CelFunc[] = [
  celFunc(
    '_+_',
    [listType(CelScalar.DYN), listType(CelScalar.DYN)],
    listType(CelScalar.DYN),
    notConcatenated,
  ),
];

export class CelExpression {
  readonly #run: (variables: Record<string, CelInput>) => CelValue | Error;
  readonly #attributes: Attributes;

  constructor(run: (variables: Record<string, CelInput>) => CelValue | Error, attributes: Attributes) {
    this.#run = run;
    this.#attributes = attributes;
  }

  /** Undefined where it comes to an error: an attribute is absent, types do not fit. */
  evaluate(context: LogContext): CelValue | undefined {
    const result = this.#run(new Variables(this.#attributes, context) as unknown as Record<string, CelInput>);
    return isCelError(result) ? undefined : (result as CelValue);
  }

  /** Does it come to true? */
  matches(context: LogContext): boolean {
    return this.evaluate(context) === true;
  }
}

/** Looked at by name, once for each time that a name stands in the expression. */
class Variables {
  constructor(attributes: Attributes, context: LogContext) {
    for (const name of Object.keys(attributes)) {
      Object.defineProperty(this, name, { get: () => attributes[name](context) });
    }
  }
}

/** Throws ConfigError in Envoy's words; `what` is how Envoy calls it there: `filter expression`, `expression`. */
export function compileCel(
  text: string,
  config: core.CelExpressionConfig | undefined,
  context: FactoryContext,
  path: string,
  what: string,
): CelExpression {
  let parsed: ReturnType<typeof cel.parse>;
  try {
    parsed = cel.parse(text);
  } catch (error) {
    throw new ConfigError(
      path,
      `Not able to parse ${what}: INVALID_ARGUMENT: ERROR: ${(error as Error).message}`,
    );
  }
  return planCel(parsed.expr, config, context, path);
}

/** Throws ConfigError. `expr`: a google.api.expr.v1alpha1.Expr in wire bytes. */
export function compileCelExpr(
  expr: Uint8Array,
  config: core.CelExpressionConfig | undefined,
  context: FactoryContext,
  path: string,
): CelExpression {
  return planCel(exprOf(expr), config, context, path);
}

function planCel(
  expr: Expr,
  config: core.CelExpressionConfig | undefined,
  context: FactoryContext,
  path: string,
): CelExpression {
  const known = new Set(FUNCTIONS);
  if (config?.enable_string_conversion) known.add('string');
  if (config?.enable_string_functions) for (const name of STRING_FUNCTIONS) known.add(name);
  check(expr, known, path);
  const env = cel.celEnv({
    funcs: [
      ...(config?.enable_string_concat ? [] : NO_CONCATENATION),
      ...NO_LIST_CONCATENATION,
      ...(config?.enable_string_functions ? stringFunctions() : []),
    ],
  });
  return new CelExpression(cel.plan(env, expr) as never, compileAttributes(context));
}

/** What Envoy finds when it builds an expression. Throws ConfigError. */
function check({ exprKind: { case: kind, value } }: Expr, known: ReadonlySet<string>, path: string): void {
  const each = (parts: readonly (Expr | undefined)[]): void => {
    for (const part of parts) if (part !== undefined) check(part, known, path);
  };
  switch (kind) {
    case 'comprehensionExpr':
      throw failure(path, 'Comprehension support is disabled');
    case 'callExpr':
      if (!known.has(value.function))
        throw failure(path, `No overload found in reference resolve step for ${value.function}`);
      if (value.function === 'matches') checkRegex(value.args.at(-1), path);
      each([value.target, ...value.args]);
      break;
    case 'selectExpr':
      checkAttribute(value.operand, value.field, path);
      each([value.operand]);
      break;
    case 'listExpr':
      each(value.elements);
      break;
    case 'structExpr':
      each(
        value.entries.flatMap((entry) => [
          entry.keyKind.case === 'mapKey' ? entry.keyKind.value : undefined,
          entry.value,
        ]),
      );
      break;
    default:
  }
}

/** An attribute that nothing here fills would silently be absent. */
function checkAttribute(operand: Expr | undefined, field: string, path: string): void {
  const variable = operand?.exprKind.case === 'identExpr' ? operand.exprKind.value.name : '';
  if (Object.hasOwn(UNKNOWN_ATTRIBUTES, variable) && UNKNOWN_ATTRIBUTES[variable].includes(field))
    throw new ConfigError(path, `the attribute ${variable}.${field} is not supported`);
}

function checkRegex(pattern: Expr | undefined, path: string): void {
  const constant = pattern?.exprKind.case === 'constExpr' ? pattern.exprKind.value.constantKind : undefined;
  if (constant?.case !== 'stringValue') return;
  try {
    re2js().RE2JS.compile(constant.value);
  } catch (error) {
    throw failure(path, `invalid regular expression: ${(error as Error).message}`);
  }
}

function failure(path: string, reason: string): ConfigError {
  return new ConfigError(path, `failed to create an expression: ${reason}`);
}
