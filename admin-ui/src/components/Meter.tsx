// How much of a limit is used: a bar and the two numbers.

import { count } from '../format.ts';

/** From here on a person should know. */
const HIGH = 0.8;

export function Meter({ label, used, limit }: { label: string; used: number; limit: number }) {
  const share = limit === 0 ? (used > 0 ? 1 : 0) : Math.min(1, used / limit);
  const tone = share >= 1 ? 'bad' : share >= HIGH ? 'warn' : 'plain';
  return (
    <div className="meter">
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" className={`meter-${tone}`}>
        <rect className="meter-track" width="100" height="4" />
        <rect className="meter-bar" width={share * 100} height="4" />
      </svg>
      <span className="meter-text">
        <span className="visually-hidden">{label}: </span>
        {count(used)} <span className="quiet">of {limit >= 0xffff_ffff ? 'no limit' : count(limit)}</span>
      </span>
    </div>
  );
}
