// A screen that is not there, or broke. The rest of the dashboard goes on.

import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { EmptyState } from './EmptyState.tsx';
import { ScreenLink } from './ScreenLink.tsx';

export function ScreenFailed({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <EmptyState title="This screen stopped working">
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <p>
        <button
          type="button"
          className="button"
          onClick={() => {
            reset();
            void router.invalidate();
          }}
        >
          Try again
        </button>
      </p>
    </EmptyState>
  );
}

export function NoSuchScreen() {
  return (
    <EmptyState title="There is no such screen">
      <p>
        Go to the <ScreenLink screen="/">overview</ScreenLink>.
      </p>
    </EmptyState>
  );
}
