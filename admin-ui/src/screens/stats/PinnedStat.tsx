// A stat that is kept in sight: its past in small.

import { TimeChart } from '../../charts/TimeChart.tsx';
import { rate, short } from '../../format.ts';
import { useStatChart } from './useStatChart.ts';

const HEIGHT = 96;

export function PinnedStat({ name, onUnpin }: { name: string; onUnpin: () => void }) {
  const { stat, times, values, error } = useStatChart(name);
  return (
    <div className="stats-pinned-one">
      <div className="stats-pinned-name">
        <span className="mono" title={name}>
          {name}
        </span>
        <button type="button" className="link-button" onClick={onUnpin}>
          Unpin<span className="visually-hidden"> {name}</span>
        </button>
      </div>
      {error === null ? (
        <TimeChart
          title={stat?.kind === 'gauge' ? 'Value' : 'Per second'}
          times={times}
          format={stat?.kind === 'gauge' ? short : rate}
          height={HEIGHT}
          nothing="Remembered from now on"
          lines={[{ name: 'now', values, color: 1 }]}
        />
      ) : (
        <p className="quiet">{error.message}</p>
      )}
    </div>
  );
}
