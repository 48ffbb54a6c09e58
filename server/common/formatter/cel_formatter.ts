// %CEL(expression)% and %TYPED_CEL(expression)%. Envoy: source/extensions/formatter/cel. The table is loaded with every format,
// the evaluator with the first expression.

import { createRequire } from 'node:module';
import type { LogContext } from '../../api/access_log.ts';
import type { CelExpression } from '../expr/cel_expression.ts';
import type { CommandCall, CommandTable } from './command_table.ts';
import type { FormatterProvider } from './formatter_provider.ts';
import { jsonString, jsonValue } from './json_text.ts';

const require = createRequire(import.meta.url);
type Print = typeof import('../expr/print.ts');

/** The same text in both; `typed` keeps numbers and lists in JSON what they are. */
class CelFormatterProvider implements FormatterProvider {
  private readonly expression: CelExpression;
  private readonly print: Print;
  private readonly maxLength: number | undefined;
  private readonly typed: boolean;

  constructor(expression: CelExpression, print: Print, maxLength: number | undefined, typed: boolean) {
    this.expression = expression;
    this.print = print;
    this.maxLength = maxLength;
    this.typed = typed;
  }

  format(context: LogContext): string | undefined {
    const value = this.expression.evaluate(context);
    return value === undefined ? undefined : this.print.printCel(value).slice(0, this.maxLength);
  }

  formatJson(context: LogContext): string | undefined {
    if (!this.typed) {
      const text = this.format(context);
      return text === undefined ? undefined : jsonString(text);
    }
    const value = this.expression.evaluate(context);
    const json = value === undefined ? undefined : this.print.celToJson(value);
    return json === undefined || json === null ? undefined : jsonValue(json);
  }
}

function compileCelCommand(
  { argument, maxLength, context, path }: CommandCall,
  typed: boolean,
): FormatterProvider {
  const { compileCel } = require('../expr/cel_expression.ts') as typeof import('../expr/cel_expression.ts');
  const expression = compileCel(argument, undefined, context, path, 'expression');
  return new CelFormatterProvider(expression, require('../expr/print.ts') as Print, maxLength, typed);
}

export const CEL_COMMANDS: CommandTable = {
  CEL: { parameters: 'optional', lengthAllowed: true, compile: (call) => compileCelCommand(call, false) },
  TYPED_CEL: {
    parameters: 'optional',
    lengthAllowed: true,
    compile: (call) => compileCelCommand(call, true),
  },
};
