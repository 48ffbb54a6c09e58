// One command operator, compiled: what it prints in a text format and in a JSON format. All text is byte text (a character
// is a byte, as in header maps), so what a client sent goes to the log unchanged.
// Envoy: source/common/formatter/substitution_format_utility.h, envoy/formatter/substitution_formatter_base.h.

import type { LogContext } from '../../api/access_log.ts';
import { jsonString } from './json_text.ts';

export interface FormatterProvider {
  /** Byte text; undefined when there is no value (`-` in the log). */
  format(context: LogContext): string | undefined;
  /** The value as JSON text; undefined when there is none (`null` in the log). */
  formatJson(context: LogContext): string | undefined;
}

/** Finds the provider for a command that an `envoy.formatter` extension brings. */
export interface CommandParser {
  parse(
    command: string,
    argument: string,
    maxLength: number | undefined,
    path: string,
  ): FormatterProvider | undefined;
}

/** Fixed text between operators. */
export class PlainString implements FormatterProvider {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  format(): string {
    return this.text;
  }

  formatJson(): string {
    return jsonString(this.text);
  }
}

export type StringExtractor = (context: LogContext) => string | undefined;

/** A value that is text. `maxLength` (bytes) is the `:Z` of an operator. */
export class StringFormatterProvider implements FormatterProvider {
  private readonly extract: StringExtractor;
  private readonly maxLength: number;

  constructor(extract: StringExtractor, maxLength: number | undefined = undefined) {
    this.extract = extract;
    this.maxLength = maxLength ?? Number.MAX_SAFE_INTEGER;
  }

  format(context: LogContext): string | undefined {
    const text = this.extract(context);
    return text !== undefined && text.length > this.maxLength ? text.slice(0, this.maxLength) : text;
  }

  formatJson(context: LogContext): string | undefined {
    const text = this.format(context);
    return text === undefined ? undefined : jsonString(text);
  }
}

export type NumberExtractor = (context: LogContext) => number | undefined;

/** A value that stays a number in JSON. Fractions are cut off: Envoy counts whole milliseconds. */
export class NumberFormatterProvider implements FormatterProvider {
  private readonly extract: NumberExtractor;

  constructor(extract: NumberExtractor) {
    this.extract = extract;
  }

  format(context: LogContext): string | undefined {
    const value = this.extract(context);
    return value === undefined ? undefined : String(Math.trunc(value));
  }

  formatJson(context: LogContext): string | undefined {
    return this.format(context);
  }
}

export type ValueExtractor = (context: LogContext) => unknown;

/** A structured value (metadata): text is printed bare in a text format, everything else as JSON with sorted keys. */
export class ValueFormatterProvider implements FormatterProvider {
  private readonly extract: ValueExtractor;
  private readonly print: (value: unknown) => string;
  private readonly printJson: (value: unknown) => string;
  private readonly maxLength: number;

  constructor(
    extract: ValueExtractor,
    print: (value: unknown) => string,
    printJson: (value: unknown) => string,
    maxLength: number | undefined,
  ) {
    this.extract = extract;
    this.print = print;
    this.printJson = printJson;
    this.maxLength = maxLength ?? Number.MAX_SAFE_INTEGER;
  }

  format(context: LogContext): string | undefined {
    const value = this.extract(context);
    if (value === undefined || value === null) return undefined;
    const text = this.print(value);
    return text.length > this.maxLength ? text.slice(0, this.maxLength) : text;
  }

  formatJson(context: LogContext): string | undefined {
    const value = this.extract(context);
    return value === undefined || value === null ? undefined : this.printJson(value);
  }
}
