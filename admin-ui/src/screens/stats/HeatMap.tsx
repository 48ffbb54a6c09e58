// A heat map: time from left to right, values from below to above, the darker the more samples. And the same as a table.

import { useState } from 'react';
import { clock, count } from '../../format.ts';
import type { Heat } from './useHeat.ts';

interface Props {
  readonly heat: Heat;
  readonly format: (value: number) => string;
}

/** Of the drawing. */
const CELL = { width: 14, height: 16 };
const LABEL = 72;
/** Columns that there is room for at least, so that the first ones are not alone. */
const LEAST_COLUMNS = 84;
/** Steps of darkness: classes of stats.css. */
const STEPS = 6;
const TABLE_COLUMNS = 6;

export function HeatMap({ heat, format }: Props) {
  const [asTable, setAsTable] = useState(false);
  const rows = usedRows(heat);
  return (
    <div className="stats-heat">
      <button type="button" className="link-button stats-heat-switch" onClick={() => setAsTable(!asTable)}>
        {asTable ? 'Heat map' : 'Table'}
      </button>
      {asTable ? (
        <HeatTable heat={heat} rows={rows} format={format} />
      ) : (
        <HeatDrawing heat={heat} rows={rows} format={format} />
      )}
    </div>
  );
}

/** Indices of the buckets between the lowest and the highest that has a sample, the highest first. */
function usedRows({ bounds, columns }: Heat): number[] {
  const used = bounds.map((_, index) => columns.some(({ counts }) => (counts[index] ?? 0) > 0));
  const [first, last] = [used.indexOf(true), used.lastIndexOf(true)];
  return first < 0 ? [] : Array.from({ length: last - first + 1 }, (_, offset) => last - offset);
}

function HeatDrawing({
  heat: { bounds, columns },
  rows,
  format,
}: Props & { readonly rows: readonly number[] }) {
  const most = Math.max(1, ...columns.flatMap(({ counts }) => counts));
  const slots = Math.max(LEAST_COLUMNS, columns.length);
  const width = LABEL + slots * CELL.width;
  const height = Math.max(1, rows.length) * CELL.height;
  const samples = columns.reduce((sum, { counts }) => sum + counts.reduce((all, each) => all + each, 0), 0);
  return (
    <svg
      className="stats-heat-map"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`${count(samples)} samples, from ${format(bounds[rows.at(-1) ?? 0] ?? 0)} to ${format(bounds[rows[0] ?? 0] ?? 0)}; the table has all numbers`}
    >
      {rows.map((bucket, row) => (
        <g key={bucket} transform={`translate(0 ${row * CELL.height})`}>
          <text x={LABEL - 8} y={CELL.height - 4} textAnchor="end">
            {format(bounds[bucket]!)}
          </text>
          {columns.map(({ at, counts }, index) => {
            const samplesHere = counts[bucket] ?? 0;
            if (samplesHere === 0) return null;
            const step = Math.max(1, Math.ceil(Math.sqrt(samplesHere / most) * STEPS));
            return (
              <rect
                key={at}
                className={`stats-heat-${step}`}
                x={LABEL + (slots - columns.length + index) * CELL.width}
                width={CELL.width - 1}
                height={CELL.height - 1}
              >
                <title>{`${clock(at)}: ${count(samplesHere)} up to ${format(bounds[bucket]!)}`}</title>
              </rect>
            );
          })}
        </g>
      ))}
    </svg>
  );
}

function HeatTable({
  heat: { bounds, columns },
  rows,
  format,
}: Props & { readonly rows: readonly number[] }) {
  const shown = columns.slice(-TABLE_COLUMNS);
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Up to</th>
          {shown.map(({ at }) => (
            <th key={at} scope="col" className="number">
              {clock(at)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((bucket) => (
          <tr key={bucket}>
            <th scope="row">{format(bounds[bucket]!)}</th>
            {shown.map(({ at, counts }) => (
              <td key={at} className="number">
                {count(counts[bucket] ?? 0)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
