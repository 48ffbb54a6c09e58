// The measurements, and the Markdown table of their medians.

import { PEER_TITLES, type PeerName } from './peer_process.ts';
import type { Figure } from './workload.ts';

interface Row {
  readonly figure: Figure;
  readonly values: Map<PeerName, number[]>;
}

export class Report {
  readonly #peers: readonly PeerName[];
  readonly #rows = new Map<string, Row>();

  constructor(peers: readonly PeerName[]) {
    this.#peers = peers;
  }

  add(peer: PeerName, figure: Figure): void {
    let row = this.#rows.get(figure.title);
    if (row === undefined) this.#rows.set(figure.title, (row = { figure, values: new Map() }));
    const values = row.values.get(peer);
    if (values === undefined) row.values.set(peer, [figure.value]);
    else values.push(figure.value);
  }

  /** With the ratio when there is something to compare. */
  markdown(): string {
    const compares = this.#peers.includes('pilotfish') && this.#peers.includes('envoy');
    const titles = this.#peers.map((peer) => PEER_TITLES[peer]);
    const columns = ['Workload', 'Unit', ...titles, ...(compares ? ['Ratio', 'Goal'] : [])];
    const lines = [columns, columns.map(() => '---')];
    for (const { figure, values } of this.#rows.values()) {
      const cells = this.#peers.map((peer) => spread(values.get(peer) ?? []));
      const line = [figure.title, figure.unit, ...cells];
      if (compares) {
        const ratio = median(values.get('pilotfish') ?? []) / median(values.get('envoy') ?? []);
        line.push(Number.isNaN(ratio) ? '' : ratio.toFixed(2));
        line.push(goalOf(figure));
      }
      lines.push(line);
    }
    return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}

/** As a multiple of Envoy's, or in the figure's own unit. */
function goalOf({ goal, limit, unit }: Figure): string {
  if (limit !== undefined) return `Pilotfish ≤ ${limit} ${unit}`.trimEnd();
  return goal === undefined ? '' : `≤ ${goal}`;
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median, and the least and the most. */
function spread(values: readonly number[]): string {
  if (values.length === 0) return '';
  if (values.length === 1) return shown(values[0]);
  return `${shown(median(values))} (${shown(Math.min(...values))}–${shown(Math.max(...values))})`;
}

/** Three digits or so. */
export function shown(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
