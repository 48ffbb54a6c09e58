// What only workers run. Both threads compile a configuration, main to accept or refuse it; the code behind it, codecs and filters, would
// take memory on main for nothing. So configurations name it by a function, which workers call while they compile.

import type { FactoryContext } from '../api/registry.ts';

/** A class of the data path, loaded by the first call of this. */
export type DataPath<T> = () => T;

/** `load` is called once. */
export function dataPath<T>(load: () => T): DataPath<T> {
  let value: T | undefined;
  return () => (value ??= load());
}

/** Called by a `compile`: traffic that comes later must not wait for code to be read. */
export function loadOnWorker(context: FactoryContext, ...parts: readonly DataPath<unknown>[]): void {
  if (context.thread === 'worker') for (const part of parts) part();
}
