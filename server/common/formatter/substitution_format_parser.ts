// Splits a format string into fixed text and command operators. Envoy: source/common/formatter/substitution_formatter.cc
// (SubstitutionFormatParser); its error messages are kept, since users search for them.

import { ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { ADDRESS_COMMANDS } from './address_formatter.ts';
import { CEL_COMMANDS } from './cel_formatter.ts';
import { coalesce } from './coalesce_formatter.ts';
import { type CommandTable, compileCommand } from './command_table.ts';
import { type CommandParser, type FormatterProvider, PlainString } from './formatter_provider.ts';
import { HTTP_COMMANDS } from './http_formatter.ts';

import { METADATA_COMMANDS } from './metadata_formatter.ts';
import { PATH_COMMANDS } from './path_formatter.ts';
import { SSL_COMMANDS } from './ssl_formatter.ts';
import { STREAM_INFO_COMMANDS } from './stream_info_formatter.ts';
import { TIME_COMMANDS } from './time_formatter.ts';

const COMMANDS: CommandTable = {
  ...HTTP_COMMANDS,
  ...PATH_COMMANDS,
  ...STREAM_INFO_COMMANDS,
  ...ADDRESS_COMMANDS,
  ...TIME_COMMANDS,
  ...SSL_COMMANDS,
  ...METADATA_COMMANDS,
  ...CEL_COMMANDS,
  COALESCE: coalesce((name) => (Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined)),
};

// %COMMAND%, %COMMAND(argument)%, %COMMAND(argument):length%. The argument may hold `%` and `)` (START_TIME's format does).
const COMMAND = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/sy;

/** The parts of `format` in order. Throws ConfigError at `path` for what is not a known, well-formed operator. */
export function parseFormat(
  format: string,
  context: FactoryContext,
  path: string,
  parsers: readonly CommandParser[],
): FormatterProvider[] {
  const providers: FormatterProvider[] = [];
  let literal = '';
  let position = 0;
  while (position < format.length) {
    const percent = format.indexOf('%', position);
    if (percent < 0) break;
    literal += format.slice(position, percent);
    if (format[percent + 1] === '%') {
      literal += '%';
      position = percent + 2;
      continue;
    }
    COMMAND.lastIndex = percent;
    const match = COMMAND.exec(format);
    if (match === null) {
      throw new ConfigError(
        path,
        `Incorrect configuration: ${format}. Couldn't find valid command at position ${percent}`,
      );
    }
    if (literal !== '') providers.push(new PlainString(latin1Of(literal)));
    literal = '';
    const [whole, name, argument = '', length] = match;
    providers.push(
      compile(name, argument, length === undefined ? undefined : Number(length), context, path, parsers),
    );
    position = percent + whole.length;
  }
  literal += format.slice(position);
  if (literal !== '' || providers.length === 0) providers.push(new PlainString(latin1Of(literal)));
  return providers;
}

function compile(
  name: string,
  argument: string,
  maxLength: number | undefined,
  context: FactoryContext,
  path: string,
  parsers: readonly CommandParser[],
): FormatterProvider {
  for (const parser of parsers) {
    const provider = parser.parse(name, argument, maxLength, path);
    if (provider !== undefined) return provider;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new ConfigError(path, `Not supported field in StreamInfo: ${name}`);
  }
  return compileCommand(name, COMMANDS[name], { argument, maxLength, context, path });
}
