// When a certificate ends to be valid, and whether that is near.

import { Badge } from '../../components/Badge.tsx';
import { useNow } from '../../components/TimeAgo.tsx';
import { clock, duration } from '../../format.ts';

/** Part of its life after which a certificate should have been renewed: the agent's SECRET_GRACE_PERIOD_RATIO, and some time more. */
const NEAR = 0.8;

export function Expiry({ from, to }: { from: number; to: number }) {
  const now = useNow();
  const left = duration(Math.abs(to - now) / 1000);
  if (now >= to) return <Badge tone="bad" title={clock(to)}>{`expired ${left} ago`}</Badge>;
  if (now < from)
    return (
      <Badge tone="bad" title={clock(from)}>
        not valid yet
      </Badge>
    );
  if (now > from + (to - from) * NEAR) return <Badge tone="warn" title={clock(to)}>{`in ${left}`}</Badge>;
  return <span title={clock(to)}>in {left}</span>;
}
