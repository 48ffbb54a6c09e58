// weighted_clusters: one compiled route per cluster, and the choice among them by the stream's random value, that of a header,
// or the route's hash policy.
// Envoy: source/common/router/weighted_cluster_specifier.cc.

import { ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { HashPolicy } from './hash_policy.ts';

const MAX_TOTAL_WEIGHT = 0xffffffff;
const MAX_UINT64 = 0xffffffffffffffffn;

/** Below this many clusters a walk over the sums is faster than halving. */
const LINEAR_UP_TO = 8;

export class WeightedChoice<T> {
  readonly entries: readonly T[];
  /** Sum of the weights up to and with each entry. */
  private readonly sums: readonly number[];
  private readonly headerName: string;
  private readonly hashPolicy: HashPolicy | undefined;
  private readonly runtimeKeys: readonly string[];
  private readonly runtime: Runtime;

  /**
   * `runtimeKeys` is empty where weights are not in the runtime; `headerName` '' where no header gives the random value;
   * `hashPolicy` undefined where it does not decide.
   */
  constructor(
    entries: readonly T[],
    weights: readonly number[],
    headerName: string,
    hashPolicy: HashPolicy | undefined,
    runtimeKeys: readonly string[],
    runtime: Runtime,
    routeName: string,
    path: string,
  ) {
    this.entries = entries;
    this.sums = cumulative(weights);
    const total = this.sums[this.sums.length - 1] ?? 0;
    this.headerName = headerName;
    this.hashPolicy = hashPolicy;
    this.runtimeKeys = runtimeKeys;
    this.runtime = runtime;
    if (total > MAX_TOTAL_WEIGHT) {
      throw new ConfigError(
        path,
        `The sum of weights of all weighted clusters of route ${routeName} exceeds ${MAX_TOTAL_WEIGHT}`,
      );
    }
    if (total === 0) {
      throw new ConfigError(path, 'Sum of weights in the weighted_cluster must be greater than 0.');
    }
  }

  /** Undefined only when the runtime sets all weights to zero. */
  choose(headers: RequestHeaderMap, info: StreamInfo, streamId: number): T | undefined {
    const sums = this.currentSums();
    const total = sums[sums.length - 1];
    if (total === 0) return undefined;
    const hash = this.hashPolicy?.generateHash(headers, info);
    if (hash !== undefined) return this.entries[indexOf(sums, Number(hash % BigInt(total)))];
    const value =
      this.headerName === '' ? streamId % total : randomOf(headers, this.headerName, streamId, total);
    return this.entries[indexOf(sums, value)];
  }

  /** Sums of the weights as they are now. */
  currentSums(): readonly number[] {
    if (this.runtimeKeys.length === 0) return this.sums;
    return cumulative(
      this.runtimeKeys.map((key, i) => this.runtime.getInteger(key, this.sums[i] - (this.sums[i - 1] ?? 0))),
    );
  }
}

/** The header's unsigned 64-bit number modulo `total`, or the stream's own random value where it has none. */
function randomOf(headers: RequestHeaderMap, name: string, streamId: number, total: number): number {
  // The joined values of a repeated header are no number, so that it counts as absent, as Envoy has it.
  const value = headers.getAll(name) ?? '';
  if (!/^[ \t]*\+?\d+[ \t]*$/.test(value)) return streamId % total;
  const number = BigInt(value.trim().replace('+', ''));
  return number > MAX_UINT64 ? streamId % total : Number(number % BigInt(total));
}

function cumulative(weights: readonly number[]): readonly number[] {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
}

/** The first sum above `value`. */
function indexOf(sums: readonly number[], value: number): number {
  if (sums.length <= LINEAR_UP_TO) {
    let i = 0;
    while (sums[i] <= value) i++;
    return i;
  }
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
