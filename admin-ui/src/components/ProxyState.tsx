// Who the proxy is, its state and for how long it has run: in the bar of every screen.

import { useSyncExternalStore } from 'react';
import { observeDump, openDump, showDump } from '../api/dump.ts';
import { queryClient, useAnswer } from '../api/queries.ts';
import type { ServerInfo } from '../api/types.ts';
import { duration } from '../format.ts';
import { Badge, type Tone } from './Badge.tsx';
import { useNow } from './TimeAgo.tsx';

const TONES: Readonly<Record<ServerInfo['state'], Tone>> = {
  LIVE: 'good',
  DRAINING: 'warn',
  INITIALIZING: 'warn',
  PRE_INITIALIZING: 'warn',
};
/** ms between two looks. */
const EVERY_MS = 5_000;

export function ProxyState() {
  const dump = useSyncExternalStore(observeDump, openDump);
  return dump === undefined ? <RunningProxy /> : <OpenFile name={dump.name} />;
}

function RunningProxy() {
  const { data, dataUpdatedAt } = useAnswer<ServerInfo>('/server_info', {}, { every: EVERY_MS });
  const now = useNow();
  if (data === undefined) return <div className="proxy-state" />;
  const uptime = Number.parseFloat(data.uptime_current_epoch) + Math.max(0, now - dataUpdatedAt) / 1000;
  const id = data.node?.id ?? '';
  return (
    <div className="proxy-state">
      <Badge tone={TONES[data.state] ?? 'plain'}>{data.state}</Badge>
      {id !== '' && (
        <span className="proxy-node mono" title={`node ${id}, cluster ${data.node?.cluster ?? ''}`}>
          {id}
        </span>
      )}
      <span className="proxy-uptime quiet">up {duration(uptime)}</span>
    </div>
  );
}

function OpenFile({ name }: { name: string }) {
  return (
    <div className="proxy-state">
      <Badge tone="info">FILE</Badge>
      <span className="proxy-node mono">{name}</span>
      <button
        type="button"
        className="link-button"
        onClick={() => {
          showDump(undefined);
          queryClient.clear();
        }}
      >
        Back to the proxy
      </button>
    </div>
  );
}
