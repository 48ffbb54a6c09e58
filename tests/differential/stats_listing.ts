// What a running proxy lists of its stats, in a form that can be compared.

import type { EnvoyProcess } from './envoy_process.ts';

/** Values by name. Of a histogram only whether it has recorded anything: times differ. */
export async function statsOf({ admin }: EnvoyProcess, query = ''): Promise<Map<string, string>> {
  const text = await (await fetch(`${admin}/stats${query}`)).text();
  const stats = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/^(.*?): (.*)$/gm)) {
    stats.set(name, value.startsWith('P0') ? 'recorded' : value);
  }
  return stats;
}

/** The series without their values, sorted. */
export async function seriesOf({ admin }: EnvoyProcess): Promise<string[]> {
  const text = await (await fetch(`${admin}/stats/prometheus`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('#') ? line : line.slice(0, line.lastIndexOf(' '))))
    .sort();
}
