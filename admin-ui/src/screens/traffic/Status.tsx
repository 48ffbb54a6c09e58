// How a request ended, in the few characters that people know.

import { Badge } from '../../components/Badge.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';

export function Status({ status }: { status: number }) {
  if (status === 0) return <Badge tone="bad">none</Badge>;
  return <Badge tone={status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'plain'}>{status}</Badge>;
}

/** Each leads to the requests that have it. */
export function Flags({ flags }: { flags: readonly string[] }) {
  return (
    <span className="flags">
      {flags.map((flag) => (
        <ScreenLink key={flag} screen="/traffic" params={{ flag }} className="mono" title="Requests with it">
          {flag}
        </ScreenLink>
      ))}
    </span>
  );
}
