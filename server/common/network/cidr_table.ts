// Longest-prefix match over CIDR ranges: a map for each prefix length in use, asked from the longest on.
// Envoy: source/common/network/lc_trie.h (the same answers; configurations here have few different lengths).

import type { CidrRange, IpNumber } from './address.ts';

interface Row<T> {
  readonly hostBits: bigint;
  readonly networks: Map<bigint, T>;
}

/** Values by range. Fill it first, then look up. */
export class CidrTable<T> {
  /** By version, longest prefix first. */
  readonly #rows: Readonly<Record<4 | 6, Row<T>[]>> = { 4: [], 6: [] };

  /** The value of exactly this range. */
  get(range: CidrRange): T | undefined {
    return this.#rows[range.version]
      .find((row) => row.hostBits === range.hostBits)
      ?.networks.get(range.network);
  }

  set(range: CidrRange, value: T): void {
    const rows = this.#rows[range.version];
    let row = rows.find((each) => each.hostBits === range.hostBits);
    if (row === undefined) {
      row = { hostBits: range.hostBits, networks: new Map() };
      rows.push(row);
      rows.sort((a, b) => Number(a.hostBits - b.hostBits));
    }
    row.networks.set(range.network, value);
  }

  /** The value of the longest range that holds `ip`. */
  find(ip: IpNumber): T | undefined {
    for (const row of this.#rows[ip.version]) {
      const value = row.networks.get(ip.value >> row.hostBits);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}
