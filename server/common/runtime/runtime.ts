// This thread's view of the runtime: final values by key, replaced as a whole when a layer changes.
// Envoy: source/common/runtime/runtime_impl.cc (SnapshotImpl), docs configuration/operations/runtime.

import type { Runtime } from '../../api/runtime.ts';

/** What a key can hold. A FractionalPercent is its JSON text. */
export type RuntimeValue = string | number | boolean;
export type RuntimeValues = Readonly<Record<string, RuntimeValue>>;

interface Entry {
  readonly double: number | undefined;
  /** Only whole, not negative numbers. */
  readonly integer: number | undefined;
  readonly boolean: boolean | undefined;
  readonly fraction: { readonly numerator: number; readonly denominator: number } | undefined;
}

const DENOMINATORS: Readonly<Record<string, number>> = {
  HUNDRED: 100,
  TEN_THOUSAND: 10_000,
  MILLION: 1_000_000,
};

export class RuntimeSnapshot implements Runtime {
  #entries = new Map<string, Entry>();

  constructor(values: RuntimeValues = {}) {
    this.update(values);
  }

  /** Replaces all values. */
  update(values: RuntimeValues): void {
    this.#entries = new Map(Object.entries(values).map(([key, value]) => [key, parse(value)]));
  }

  getInteger(key: string, fallback: number): number {
    return this.#entries.get(key)?.integer ?? fallback;
  }

  getDouble(key: string, fallback: number): number {
    return this.#entries.get(key)?.double ?? fallback;
  }

  getBoolean(key: string, fallback: boolean): boolean {
    return this.#entries.get(key)?.boolean ?? fallback;
  }

  /** A plain number in the runtime is a percentage: its denominator is 100, whatever the default's is. */
  featureEnabled(
    key: string,
    numerator: number,
    denominator: 100 | 10_000 | 1_000_000,
    random: number,
  ): boolean {
    const entry = this.#entries.get(key);
    if (entry?.fraction !== undefined) return random % entry.fraction.denominator < entry.fraction.numerator;
    if (entry?.integer !== undefined) return random % 100 < entry.integer;
    return random % denominator < numerator;
  }

  hasBelow(prefix: string): boolean {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) return true;
    return false;
  }
}

function parse(value: RuntimeValue): Entry {
  if (typeof value === 'boolean') {
    return { double: undefined, integer: undefined, boolean: value, fraction: undefined };
  }
  if (typeof value === 'number') return { ...number(value), boolean: undefined, fraction: undefined };
  const text = value.trim();
  const lower = text.toLowerCase();
  const numeric = text === '' ? Number.NaN : Number(text);
  return {
    ...number(numeric),
    boolean: lower === 'true' ? true : lower === 'false' ? false : undefined,
    fraction: fraction(text),
  };
}

function number(value: number): { double: number | undefined; integer: number | undefined } {
  return {
    double: Number.isFinite(value) ? value : undefined,
    integer: Number.isSafeInteger(value) && value >= 0 ? value : undefined,
  };
}

function fraction(text: string): Entry['fraction'] {
  if (!text.startsWith('{')) return undefined;
  try {
    const { numerator, denominator = 'HUNDRED' } = JSON.parse(text) as Record<string, unknown>;
    const parts = DENOMINATORS[String(denominator)];
    return typeof numerator === 'number' && parts !== undefined
      ? { numerator, denominator: parts }
      : undefined;
  } catch {
    return undefined;
  }
}
