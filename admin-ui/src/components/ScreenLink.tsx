// A link to a screen, or to another state of this one. `keep`: the parameters of the URL that stay.

import { Link, useLocation, useRouter } from '@tanstack/react-router';
import { type ReactNode, useCallback } from 'react';
import { type UrlParams, urlParamsText } from '../url.ts';

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

/** What a link to a target has as its address, where there are too many for the router's own. */
export function useHref(): (target: Target) => string {
  const { basepath } = useRouter();
  const { pathname, search } = useLocation();
  return useCallback(
    ({ screen = pathname, params, keep = false }: Target) =>
      `${basepath}${screen}${urlParamsText(keep ? { ...search, ...params } : { ...params })}`,
    [basepath, pathname, search],
  );
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
