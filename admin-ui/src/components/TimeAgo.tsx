// When something was, as people say it; the exact time is one hover away. All of them tick together.

import { useSyncExternalStore } from 'react';
import { clock, duration } from '../format.ts';

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function observe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** ms since 1970, once a second. */
export function useNow(): number {
  return useSyncExternalStore(observe, () => now);
}

export function TimeAgo({ at }: { at: number }) {
  const seconds = (useNow() - at) / 1000;
  const text = at === 0 ? '–' : seconds < 1 ? 'just now' : `${duration(seconds)} ago`;
  return (
    <time dateTime={new Date(at).toISOString()} title={clock(at)}>
      {text}
    </time>
  );
}
