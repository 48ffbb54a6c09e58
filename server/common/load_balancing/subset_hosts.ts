// Groups hosts by the values that they have for the keys of each selector.
// Envoy: SubsetLoadBalancer::processSubsets, extractSubsetMetadata (source/extensions/load_balancing_policies/subset/subset_lb.cc).

import type { Host } from '../upstream/host.ts';
import type { SubsetConfig } from './subset_config.ts';

/** Fields of the namespace envoy.lb. */
export type Metadata = Readonly<Record<string, unknown>>;

export interface SubsetHosts {
  readonly hosts: Host[];
  readonly single: boolean;
}

/** Hosts by `subsetKey`. */
export function groupBySubset(
  hosts: readonly Host[],
  { selectors, listAsAny }: Pick<SubsetConfig, 'selectors' | 'listAsAny'>,
): ReadonlyMap<string, SubsetHosts> {
  const subsets = new Map<string, SubsetHosts>();
  for (const host of hosts) {
    const metadata = host.metadata?.['envoy.lb'];
    if (metadata === undefined) continue;
    for (const { keys, singleHost } of selectors) {
      for (const values of valuesOf(metadata, keys, listAsAny)) {
        const key = subsetKey(values);
        const subset = subsets.get(key);
        if (subset === undefined) subsets.set(key, { hosts: [host], single: singleHost });
        // A list may hold a value twice, and two selectors may have the same keys.
        else if (subset.hosts[subset.hosts.length - 1] !== host) subset.hosts.push(host);
      }
    }
  }
  return subsets;
}

/** Equal for equal metadata, whatever the order of its keys. */
export function subsetKey(metadata: Metadata): string {
  return canonical(metadata);
}

/** Does the host have all of these values? A list of the host may hold them. */
export function hasMetadata(host: Host, wanted: Metadata, listAsAny: boolean): boolean {
  const names = Object.keys(wanted);
  if (names.length === 0) return true;
  const metadata = host.metadata?.['envoy.lb'];
  if (metadata === undefined) return false;
  return names.every((name) => {
    const value = metadata[name];
    const values = listAsAny && Array.isArray(value) ? value : [value];
    return values.some((each) => each !== undefined && canonical(each) === canonical(wanted[name]));
  });
}

/** The values of all keys, once for each combination when lists stand for their elements; nothing when a key is missing. */
function valuesOf(metadata: Metadata, keys: readonly string[], listAsAny: boolean): Metadata[] {
  let result: Metadata[] = keys.length === 0 ? [] : [{}];
  for (const key of keys) {
    const value = metadata[key];
    if (value === undefined) return [];
    const values: readonly unknown[] = listAsAny && Array.isArray(value) ? value : [value];
    result = result.flatMap((before) => values.map((each) => ({ ...before, [key]: each })));
  }
  return result;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = value as Metadata;
  return `{${Object.keys(fields)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(fields[key])}`)
    .join()}}`;
}
