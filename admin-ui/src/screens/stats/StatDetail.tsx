// One stat: its past, and of a histogram its quantiles and the heat map of its values.

import { TimeChart } from '../../charts/TimeChart.tsx';
import { Badge } from '../../components/Badge.tsx';
import { EmptyState, Failed } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { count, rate, short } from '../../format.ts';
import { HeatMap } from './HeatMap.tsx';
import { usePins } from './pins.ts';
import { quantile } from './quantile.ts';
import { useHeat } from './useHeat.ts';
import { useStatChart } from './useStatChart.ts';

const HEIGHT = 220;

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
          <KeyValues
            items={[
              [stat?.kind === 'histogram' ? 'Samples' : 'Value', stat && count(stat.value)],
              ['Grows by', stat === undefined || isGauge ? undefined : rate(stat.rate)],
              ...(['p50', 'p90', 'p95', 'p99', 'max'] as const).map(
                (each) => [each, stat?.quantiles && quantile(stat.quantiles[each], stat.unit)] as const,
              ),
            ]}
          />
          <TimeChart
            title={isGauge ? 'Value' : stat?.kind === 'histogram' ? 'Samples per second' : 'Per second'}
            times={times}
            format={isGauge ? short : rate}
            height={HEIGHT}
            lines={[{ name: 'now', values, color: 1 }]}
          />
          {values.every((value) => value === null) && (
            <p className="quiet">
              The proxy remembers this stat from now on: the first points come within 10 seconds, 15 minutes
              are kept.
            </p>
          )}
          {stat?.kind === 'histogram' && <Heat name={name} unit={stat.unit} />}
        </>
      )}
    </div>
  );
}

function Heat({ name, unit }: { name: string; unit: string | undefined }) {
  const heat = useHeat(name);
  return (
    <Section title="Heat map" note="how many samples fell where, from the moment you opened this">
      {heat.columns.length === 0 ? (
        <EmptyState title="No samples yet">A column comes every 5 s.</EmptyState>
      ) : (
        <HeatMap heat={heat} format={(value) => quantile(value, unit)} />
      )}
    </Section>
  );
}
