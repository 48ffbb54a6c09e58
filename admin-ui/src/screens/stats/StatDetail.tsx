// One stat: its past, and of a histogram its quantiles and the heat map of its values.

import type { StatRow } from '../../api/types.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import { Badge } from '../../components/Badge.tsx';
import { EmptyState, Failed } from '../../components/EmptyState.tsx';
import { type KeyNumber, Numbers } from '../../components/Numbers.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { count, rate, short } from '../../format.ts';
import { HeatMap } from './HeatMap.tsx';
import { usePins } from './pins.ts';
import { quantile } from './quantile.ts';
import { useHeat } from './useHeat.ts';
import { useStatChart } from './useStatChart.ts';

const HEIGHT = 220;
const QUANTILES = ['p50', 'p90', 'p95', 'p99', 'max'] as const;

export function StatDetail({ name }: { name: string }) {
  const { stat, times, values, error } = useStatChart(name);
  const { pins, toggle } = usePins();
  const isGauge = stat?.kind === 'gauge';
  return (
    <div className="screen">
      <ScreenHead
        title={name}
        parent={{ screen: '/stats', params: { pins: pins.join('\n') }, title: 'Stats' }}
        note={stat && <Badge>{stat.kind}</Badge>}
      >
        <button
          type="button"
          className="button"
          aria-pressed={pins.includes(name)}
          onClick={() => toggle(name)}
        >
          {pins.includes(name) ? 'Unpin' : 'Pin'}
        </button>
      </ScreenHead>
      {error !== null ? (
        <Failed error={error} />
      ) : (
        <>
          {stat !== undefined && <Numbers items={numbersOf(stat)} />}
          <TimeChart
            title={isGauge ? 'Value' : stat?.kind === 'histogram' ? 'Samples per second' : 'Per second'}
            times={times}
            format={isGauge ? short : rate}
            height={HEIGHT}
            lines={[{ name: 'now', values, color: 1 }]}
            nothing="Remembered from now on: the first points come within 10 seconds, 15 minutes are kept"
          />
          {stat?.kind === 'histogram' && <Heat name={name} unit={stat.unit} />}
        </>
      )}
    </div>
  );
}

function numbersOf({ kind, value, rate: growth, quantiles, unit }: StatRow): KeyNumber[] {
  return [
    { name: kind === 'histogram' ? 'Samples' : 'Value', value: count(value) },
    ...(kind === 'gauge' ? [] : [{ name: 'Grows by', value: rate(growth) }]),
    ...(quantiles === undefined
      ? []
      : QUANTILES.map((name) => ({ name, value: quantile(quantiles[name], unit), note: 'since the start' }))),
  ];
}

function Heat({ name, unit }: { name: string; unit: string | undefined }) {
  const heat = useHeat(name);
  return (
    <Section
      title="Heat map"
      note="how many samples fell where in the last 15 minutes, from when somebody first looked"
    >
      {heat.columns.length === 0 ? (
        <EmptyState title="No samples yet">A column comes every 5 s.</EmptyState>
      ) : (
        <HeatMap heat={heat} format={(value) => quantile(value, unit)} />
      )}
    </Section>
  );
}
