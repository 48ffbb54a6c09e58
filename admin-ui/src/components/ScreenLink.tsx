// A link to a screen, or to another state of this one. `keep`: the parameters of the URL that stay.

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { UrlParams } from '../url.ts';

export interface Target {
  /** Of the list of screens; without it, this screen. */
  readonly screen?: string;
  readonly params?: UrlParams;
  /** Leaves the other parameters as they are. */
  readonly keep?: boolean;
}

interface Props extends Target {
  readonly children: ReactNode;
  readonly className?: string;
  readonly title?: string;
  readonly tabIndex?: number;
}

/** What the router's own link takes. */
export function linkProps({ screen, params = {}, keep = false }: Target) {
  return {
    to: screen ?? '.',
    search: (before: UrlParams) => (keep ? { ...before, ...params } : params),
  } as never as { to: string };
}

export function ScreenLink({ screen, params, keep, children, ...rest }: Props) {
  const target: Target = {
    ...(screen !== undefined && { screen }),
    ...(params && { params }),
    ...(keep && { keep }),
  };
  return (
    <Link {...linkProps(target)} {...rest}>
      {children}
    </Link>
  );
}
