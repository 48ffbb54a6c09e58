// Starts and stops the watching of live requests. It is capped, and ends by itself.

import { useState } from 'react';
import { postJson } from '../../api/client.ts';
import { queryClient, useAnswer } from '../../api/queries.ts';
import type { CaptureState } from '../../api/requestTypes.ts';
import { ChoiceList } from '../../components/Choice.tsx';
import { useNow } from '../../components/TimeAgo.tsx';
import { toast } from '../../components/Toasts.tsx';
import { count, duration } from '../../format.ts';
import { useUrlParams } from '../../url.ts';

const EVERY_MS = 1_000;
const SECONDS = [
  { value: '60', title: '1 minute' },
  { value: '300', title: '5 minutes' },
  { value: '600', title: '10 minutes' },
] as const;
const LIMITS = [
  { value: '5', title: '5 a second' },
  { value: '20', title: '20 a second' },
  { value: '100', title: '100 a second' },
] as const;

export function Capture() {
  const { data } = useAnswer<CaptureState>('/api/capture', {}, { every: EVERY_MS });
  const [, change] = useUrlParams();
  const [seconds, setSeconds] = useState<(typeof SECONDS)[number]['value']>('60');
  const [limit, setLimit] = useState<(typeof LIMITS)[number]['value']>('20');
  const now = useNow();
  const watch = async (body: object): Promise<void> => {
    try {
      await postJson<CaptureState>('/api/capture', body);
      await queryClient.invalidateQueries({ queryKey: ['/api/capture'] });
    } catch (error) {
      toast((error as Error).message, 'bad');
    }
  };
  if (data === undefined) return null;
  if (data.active) {
    return (
      <div className="capture" aria-live="off">
        <strong>Watching</strong>
        <span>
          {duration((data.until - now) / 1000)} left, {count(data.seen)} seen
          {data.dropped > 0 && `, ${count(data.dropped)} not kept: more than ${data.max_per_second} a second`}
        </span>
        <button type="button" className="button" onClick={() => void watch({ seconds: 0 })}>
          Stop
        </button>
      </div>
    );
  }
  return (
    <div className="capture">
      <button
        type="button"
        className="button"
        onClick={() => {
          change({ set: 'live', sort: '' });
          void watch({ seconds: Number(seconds), max_per_second: Number(limit) });
        }}
      >
        Watch live requests
      </button>
      <ChoiceList label="for" options={SECONDS} value={seconds} onChange={setSeconds} />
      <ChoiceList label="at most" options={LIMITS} value={limit} onChange={setLimit} />
    </div>
  );
}
