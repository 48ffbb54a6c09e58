// What an action came to, for a few seconds; read out by screen readers.

import { useSyncExternalStore } from 'react';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: 'good' | 'bad';
}

/** ms; what failed stays longer. */
const SHOWN_MS = { good: 4_000, bad: 10_000 } as const;

let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

export function toast(text: string, tone: 'good' | 'bad' = 'good'): void {
  const id = ++lastId;
  update([...toasts, { id, text, tone }]);
  setTimeout(() => update(toasts.filter((each) => each.id !== id)), SHOWN_MS[tone]);
}

function update(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function observe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(observe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, tone }) => (
        <p key={id} className={`toast toast-${tone}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
