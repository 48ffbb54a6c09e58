// Lines over time, with the values under the cursor in the legend, and the same as a table.

import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type uPlot from 'uplot';
import { clock } from '../format.ts';
import { currentTheme, observeTheme } from '../theme.ts';
import { cssColor } from './colors.ts';

export interface Line {
  readonly name: string;
  /** One for each time; null leaves a gap. */
  readonly values: readonly (number | null)[];
  /** 1 to 6: a colour of the theme. */
  readonly color: 1 | 2 | 3 | 4 | 5 | 6;
}

interface Props {
  readonly title: string;
  /** ms since 1970, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  readonly height?: number;
  /** Said while there is no value yet. */
  readonly nothing?: string;
}

/** Rows of the table, at most: the latest. */
const TABLE_ROWS = 60;
const HEIGHT = 132;
const AXIS_FONT = '11px system-ui, sans-serif';

export function TimeChart({
  title,
  times,
  lines,
  format,
  height = HEIGHT,
  nothing = 'No values yet',
}: Props) {
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const at = cursor ?? times.length - 1;
  return (
    <figure className="chart">
      <figcaption className="chart-head">
        <span className="chart-title">{title}</span>
        <span className="chart-legend">
          {lines.map(({ name, values, color }) => (
            <span key={name} className="chart-key">
              <span className={`chart-swatch series-${color}`} aria-hidden="true" />
              {name}{' '}
              <strong>
                {values[at] === null || values[at] === undefined ? '–' : format(values[at] as number)}
              </strong>
            </span>
          ))}
        </span>
        <button type="button" className="link-button chart-switch" onClick={() => setAsTable(!asTable)}>
          {asTable ? 'Chart' : 'Table'}
          <span className="visually-hidden"> of {title}</span>
        </button>
      </figcaption>
      {lines.every(({ values }) => values.every((value) => value === null)) && (
        <p className="chart-nothing quiet">{nothing}</p>
      )}
      {asTable ? (
        <ValuesTable title={title} times={times} lines={lines} format={format} />
      ) : (
        <Canvas
          title={title}
          times={times}
          lines={lines}
          format={format}
          height={height}
          onCursor={setCursor}
        />
      )}
    </figure>
  );
}

function ValuesTable({ title, times, lines, format }: Omit<Props, 'height' | 'nothing'>) {
  const latest = [...times.keys()].reverse().slice(0, TABLE_ROWS);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className="table-scroll table-compact chart-table" tabIndex={0}>
      <table className="plain-table" aria-label={title}>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col" className="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {latest.map((index) => (
            <tr key={times[index]}>
              <td>{clock(times[index] as number)}</td>
              {lines.map(({ name, values }) => (
                <td key={name} className="number">
                  {typeof values[index] === 'number' ? format(values[index]) : '–'}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CanvasProps extends Omit<Props, 'height' | 'nothing'> {
  readonly height: number;
  readonly onCursor: (index: number | null) => void;
}

function Canvas({ title, times, lines, format, height, onCursor }: CanvasProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const theme = useSyncExternalStore(observeTheme, currentTheme);
  const data = [times.map((at) => at / 1000), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = lines.map(({ name, color }) => `${name}:${color}`).join('|');

  // biome-ignore lint/correctness/useExhaustiveDependencies: data is set below; another shape or theme needs another plot
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    let gone = false;
    let observer: ResizeObserver | undefined;
    void import('./plot.ts').then(({ makePlot }) => {
      if (gone) return;
      const width = element.clientWidth;
      const made = makePlot(element, latest.current, {
        width,
        height,
        colors: lines.map(({ color }) => cssColor(`--series-${color}`)),
        axis: { stroke: cssColor('--text-quiet'), grid: cssColor('--line'), font: AXIS_FONT },
        format,
        onCursor,
      });
      plot.current = made;
      observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
      observer.observe(element);
    });
    return () => {
      gone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, theme, height]);

  useEffect(() => plot.current?.setData(data));

  return (
    <div
      ref={host}
      className="chart-canvas"
      role="img"
      aria-label={summary(title, lines, format)}
      style={{ height }}
    />
  );
}

function summary(title: string, lines: readonly Line[], format: (value: number) => string): string {
  const parts = lines.map(({ name, values }) => {
    const known = values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${name}: nothing yet`;
    return `${name}: now ${format(known.at(-1) as number)}, at most ${format(Math.max(...known))}`;
  });
  return `${title}. ${parts.join('; ')}`;
}
