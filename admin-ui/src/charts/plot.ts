// uPlot, loaded with the first chart, set up for the dashboard.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface PlotSettings {
  readonly width: number;
  readonly height: number;
  /** One for each line. */
  readonly colors: readonly string[];
  readonly axis: { readonly stroke: string; readonly grid: string; readonly font: string };
  readonly format: (value: number) => string;
  readonly onCursor: (index: number | null) => void;
}

export function makePlot(host: HTMLElement, data: uPlot.AlignedData, settings: PlotSettings): uPlot {
  const { width, height, colors, axis, format, onCursor } = settings;
  const common: uPlot.Axis = {
    stroke: axis.stroke,
    font: axis.font,
    grid: { stroke: axis.grid, width: 1 },
    ticks: { show: false },
  };
  return new uPlot(
    {
      width,
      height,
      // At the right for half of the last time below it.
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      series: [
        {},
        ...colors.map((stroke) => ({ stroke, width: 1.5, points: { show: false }, spanGaps: false })),
      ],
      axes: [
        {
          ...common,
          grid: { show: false },
          size: 22,
          space: 70,
          values: (_plot, splits) => splits.map((at) => clockText(at, (splits[1] ?? at) - splits[0]!)),
        },
        { ...common, size: 56, space: 28, values: (_plot, splits) => splits.map((value) => format(value)) },
      ],
      hooks: { setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)] },
    },
    data,
    host,
  );
}

/** With seconds where marks are less than a minute apart. */
function clockText(at: number, apart: number): string {
  return new Date(at * 1000).toTimeString().slice(0, apart > 0 && apart < 60 ? 8 : 5);
}
