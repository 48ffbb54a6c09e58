// What every table of command operators is made of: which arguments a command takes, and what it compiles to.
// Envoy: source/common/formatter/substitution_format_utility.h (CommandSyntaxChecker); its messages are kept.

import { ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { NumberExtractor, StringExtractor } from './formatter_provider.ts';
import {
  type FormatterProvider,
  NumberFormatterProvider,
  StringFormatterProvider,
} from './formatter_provider.ts';

/** A command as it stood in the format: `%NAME(argument):maxLength%`. */
export interface CommandCall {
  readonly argument: string;
  readonly maxLength: number | undefined;
  readonly context: FactoryContext;
  readonly path: string;
}

export interface Command {
  readonly parameters: 'none' | 'optional' | 'required';
  readonly lengthAllowed: boolean;
  compile(call: CommandCall): FormatterProvider;
}

export type CommandTable = Readonly<Record<string, Command>>;

/** Checks the arguments of `%name(...)%` against `command` and compiles it. Throws ConfigError in Envoy's words. */
export function compileCommand(name: string, command: Command, call: CommandCall): FormatterProvider {
  const { argument, maxLength, path } = call;
  const commandOnly = command.parameters === 'none' && !command.lengthAllowed;
  if (commandOnly && (argument !== '' || maxLength !== undefined)) {
    throw new ConfigError(path, `${name} does not take any parameters or length`);
  }
  if (command.parameters === 'required' && argument === '') {
    throw new ConfigError(path, `${name} requires parameters`);
  }
  if (command.parameters === 'none' && argument !== '') {
    throw new ConfigError(path, `${name} does not take any parameters`);
  }
  if (!command.lengthAllowed && maxLength !== undefined) {
    throw new ConfigError(path, `${name} does not allow length to be specified.`);
  }
  return command.compile(call);
}

/** A command without arguments that prints text. */
export function text(extract: StringExtractor): Command {
  const provider = new StringFormatterProvider(extract);
  return { parameters: 'none', lengthAllowed: false, compile: () => provider };
}

/** A command without arguments that prints a number. */
export function number(extract: NumberExtractor): Command {
  const provider = new NumberFormatterProvider(extract);
  return { parameters: 'none', lengthAllowed: false, compile: () => provider };
}

/** The text, or undefined when it is empty. */
export function nonEmpty(value: string): string | undefined {
  return value === '' ? undefined : value;
}
