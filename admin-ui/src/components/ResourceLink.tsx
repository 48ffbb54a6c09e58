// A text that leads to a resource, where what the proxy names is one: it also says hosts and flags.

import type { ResourceKind } from '../api/types.ts';
import { resourceTarget } from '../screens/resourceTarget.ts';
import { ScreenLink } from './ScreenLink.tsx';

const KINDS: readonly string[] = [
  'cluster',
  'endpoints',
  'listener',
  'route',
  'secret',
  'extension',
] satisfies ResourceKind[];

interface Props {
  readonly link: { readonly kind: string; readonly name: string } | undefined;
  readonly children: string;
}

export function ResourceLink({ link, children }: Props) {
  if (link === undefined || !KINDS.includes(link.kind)) return <span className="mono">{children}</span>;
  return (
    <ScreenLink {...resourceTarget(link.kind as ResourceKind, link.name)} className="mono">
      {children}
    </ScreenLink>
  );
}
