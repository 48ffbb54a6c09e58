// How a request ended, in the few characters that people know.

import { Badge } from '../../components/Badge.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';

export function Status({ status }: { status: number }) {
  if (status === 0) return <Badge tone="bad">none</Badge>;
  return <Badge tone={status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'plain'}>{status}</Badge>;
}

export function Flags({ flags }: { flags: readonly string[] }) {
  return <span className="mono">{flags.join(' ')}</span>;
}

/** Each leads to the requests that have it. */
export function LinkedFlags({ flags }: { flags: readonly string[] }) {
  return flags.map((flag) => (
    <ScreenLink key={flag} screen="/traffic" params={{ flag }} className="mono flag" title="Requests with it">
      {flag}
    </ScreenLink>
  ));
}
