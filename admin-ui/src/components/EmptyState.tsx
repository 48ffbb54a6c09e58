// Says that there is nothing, why, and what to do about it. For what is still on its way and what failed, too.

import type { ReactNode } from 'react';

export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children !== undefined && <div className="quiet">{children}</div>}
    </div>
  );
}

export function Failed({ error }: { error: Error }) {
  return (
    <div className="empty" role="alert">
      <p className="empty-title bad">This could not be read</p>
      <p className="quiet">{error.message}</p>
    </div>
  );
}

/** Instead of an answer that is not there: it failed, or is still on its way. */
export function NoAnswer({ error }: { error: Error | null }) {
  return error === null ? <Waiting /> : <Failed error={error} />;
}

/** Nothing moves, and nothing is said in the first moments: most answers are there before. */
export function Waiting() {
  return (
    <div className="empty waiting" aria-busy="true">
      <p className="quiet">Asking the proxy</p>
    </div>
  );
}
