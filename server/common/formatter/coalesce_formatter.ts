// %COALESCE({"operators": [...]})%: the first of several operators that has a value. Envoy: source/common/formatter
// (CoalesceFormatter); its messages are kept.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import { type Command, type CommandCall, compileCommand } from './command_table.ts';
import type { FormatterProvider } from './formatter_provider.ts';
import { jsonString } from './json_text.ts';

class CoalesceFormatterProvider implements FormatterProvider {
  private readonly providers: readonly FormatterProvider[];
  private readonly maxLength: number | undefined;

  constructor(providers: readonly FormatterProvider[], maxLength: number | undefined) {
    this.providers = providers;
    this.maxLength = maxLength;
  }

  format(context: LogContext): string | undefined {
    for (const provider of this.providers) {
      const text = provider.format(context);
      if (text !== undefined && text !== '') return text.slice(0, this.maxLength);
    }
    return undefined;
  }

  formatJson(context: LogContext): string | undefined {
    for (const provider of this.providers) {
      const text = provider.format(context);
      if (text === undefined || text === '') continue;
      return this.maxLength === undefined
        ? provider.formatJson(context)
        : jsonString(text.slice(0, this.maxLength));
    }
    return undefined;
  }
}

/** The command; `lookup` finds those that it chooses among. */
export function coalesce(lookup: (name: string) => Command | undefined): Command {
  return {
    parameters: 'required',
    lengthAllowed: true,
    compile(call: CommandCall): FormatterProvider {
      const providers = operatorsOf(call).map((operator, index) =>
        compileOperator(operator, index, call, lookup),
      );
      return new CoalesceFormatterProvider(providers, call.maxLength);
    },
  };
}

function operatorsOf({ argument, path }: CommandCall): readonly unknown[] {
  let config: unknown;
  try {
    config = JSON.parse(argument);
  } catch (error) {
    throw new ConfigError(path, `COALESCE: failed to parse JSON configuration: ${(error as Error).message}`);
  }
  const operators = (config as { readonly operators?: unknown } | null)?.operators;
  if (!Array.isArray(operators))
    throw new ConfigError(path, "COALESCE: JSON configuration must contain 'operators' array");
  if (operators.length === 0) throw new ConfigError(path, "COALESCE: 'operators' array must not be empty");
  return operators;
}

function compileOperator(
  operator: unknown,
  index: number,
  call: CommandCall,
  lookup: (name: string) => Command | undefined,
): FormatterProvider {
  const failure = (reason: string): ConfigError =>
    new ConfigError(call.path, `COALESCE: failed to parse operator at index ${index}: ${reason}`);
  if (typeof operator !== 'string' && (typeof operator !== 'object' || operator === null))
    throw failure("operator entry must be either a string (command name) or an object with 'command' field");
  const {
    command: name,
    param,
    max_length: maxLength,
  } = (typeof operator === 'string' ? { command: operator } : operator) as {
    readonly command?: unknown;
    readonly param?: unknown;
    readonly max_length?: unknown;
  };
  if (typeof name !== 'string') throw failure("operator object must have 'command' field");
  const command = lookup(name);
  if (command === undefined) throw failure(`unknown command: '${name}'`);
  try {
    return compileCommand(name, command, {
      ...call,
      argument: typeof param === 'string' ? param : '',
      maxLength: typeof maxLength === 'number' ? maxLength : undefined,
    });
  } catch (error) {
    throw error instanceof ConfigError ? failure(error.reason) : error;
  }
}
