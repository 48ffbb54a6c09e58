// State in the URL: a screen reads its parameters here and nowhere else, so a link shows what its sender saw.

import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

export type UrlParams = Readonly<Record<string, string | undefined>>;

export function parseUrlParams(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

export function urlParamsText(params: Record<string, unknown>): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') text.set(name, String(value));
  }
  return text.size === 0 ? '' : `?${text}`;
}

/** All parameters, and a way to change some: '' and undefined take one away. `push` makes a step that Back undoes. */
export function useUrlParams(): readonly [UrlParams, (changes: UrlParams, how?: 'push' | 'replace') => void] {
  const params = useSearch({ strict: false }) as UrlParams;
  const navigate = useNavigate();
  const change = useCallback(
    (changes: UrlParams, how: 'push' | 'replace' = 'replace') => {
      void navigate({
        to: '.',
        search: (before: UrlParams) => ({ ...before, ...changes }),
        replace: how === 'replace',
        resetScroll: false,
      } as never);
    },
    [navigate],
  );
  return [params, change];
}

/** One parameter, '' where it is not given. */
export function useUrlParam(name: string, fallback = ''): readonly [string, (value: string) => void] {
  const [params, change] = useUrlParams();
  const set = useCallback(
    (value: string) => change({ [name]: value === fallback ? '' : value }),
    [change, name, fallback],
  );
  return [params[name] ?? fallback, set];
}
