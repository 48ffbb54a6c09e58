// The values of a command line's flags, and the error of one that cannot be understood.

import type { FlagName } from './flags.ts';

/** A command line that cannot be understood; the message is what to say. */
export class ParseError extends Error {}

export function invalid(reason: string): ParseError {
  return new ParseError(`error: ${reason}`);
}

export class Values {
  readonly #values = new Map<FlagName, string[]>();

  set(name: FlagName, value: string): void {
    const list = this.#values.get(name);
    if (list === undefined) this.#values.set(name, [value]);
    else list.push(value);
  }
  has(name: FlagName): boolean {
    return this.#values.has(name);
  }
  text(name: FlagName, fallback = ''): string {
    return this.#values.get(name)?.[0] ?? fallback;
  }
  number(name: FlagName, fallback: number): number {
    const value = this.#values.get(name)?.[0];
    return value === undefined ? fallback : Number(value);
  }
  all(name: FlagName): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}
