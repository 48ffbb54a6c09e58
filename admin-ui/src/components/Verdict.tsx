// What became of a version.

import type { HistoryEntry } from '../api/types.ts';
import { Badge } from './Badge.tsx';

export function Verdict({ verdict }: Pick<HistoryEntry, 'verdict'>) {
  if (verdict === 'accepted') return <span className="quiet">accepted</span>;
  return <Badge tone={verdict === 'rejected' ? 'bad' : 'plain'}>{verdict}</Badge>;
}
