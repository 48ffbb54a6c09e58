// %CEL(expression)% and %TYPED_CEL(expression)%. Envoy: source/extensions/formatter/cel. The table is loaded with every format,
// the evaluator with the first expression.

import { createRequire } from 'node:module';
import type { CommandCall, CommandTable } from './command_table.ts';
import {
  type FormatterProvider,
  StringFormatterProvider,
  ValueFormatterProvider,
} from './formatter_provider.ts';
import { jsonValue, plainValue } from './json_text.ts';

const require = createRequire(import.meta.url);

function compileCelCommand(
  { argument, maxLength, context, path }: CommandCall,
  typed: boolean,
): FormatterProvider {
  const { compileCel } = require('../expr/cel_expression.ts') as typeof import('../expr/cel_expression.ts');
  const { celToJson, printCel } = require('../expr/print.ts') as typeof import('../expr/print.ts');
  const expression = compileCel(argument, undefined, context, path, 'expression');
  if (typed) {
    return new ValueFormatterProvider(
      (stream) => {
        const value = expression.evaluate(stream);
        return value === undefined ? undefined : celToJson(value);
      },
      plainValue,
      jsonValue,
      maxLength,
    );
  }
  return new StringFormatterProvider((stream) => {
    const value = expression.evaluate(stream);
    return value === undefined ? undefined : printCel(value);
  }, maxLength);
}

export const CEL_COMMANDS: CommandTable = {
  CEL: { parameters: 'optional', lengthAllowed: true, compile: (call) => compileCelCommand(call, false) },
  TYPED_CEL: {
    parameters: 'optional',
    lengthAllowed: true,
    compile: (call) => compileCelCommand(call, true),
  },
};
