// How screens ask: an answer that is kept, asked for again while it is looked at, and shown until the next one is there.

import {
  keepPreviousData,
  QueryClient,
  type UseQueryResult,
  useQueries,
  useQuery,
} from '@tanstack/react-query';
import { useRef } from 'react';
import { AnswerError, getJson, type Query } from './client.ts';
import { openDump } from './dump.ts';
import { observeEvents } from './events.ts';
import type { Page } from './types.ts';

/** ms between two looks at live numbers. */
export const LIVE_MS = 2_000;
/** Rows that are asked for at a time. */
export const PAGE_ROWS = 100;

const CONFIGURATION = /^\/api\/(resources|history|routes|xds|listeners|clusters|overview)/;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A browser that thinks it is offline may well reach a proxy on its own machine.
      networkMode: 'always',
      retry: (failures, error) => !(error instanceof AnswerError && error.status >= 400) && failures < 2,
      staleTime: 1_000,
      refetchOnWindowFocus: true,
    },
  },
});

export interface LiveOptions {
  /** ms between two looks; without it, it is asked once, and again when the configuration changes. */
  readonly every?: number;
  readonly enabled?: boolean;
  /** Shows the answer to the last question until there is one to the new one; the default. */
  readonly keep?: boolean;
}

/** The JSON answer to a GET. */
export function useAnswer<Answer>(
  path: string,
  query: Query = {},
  options: LiveOptions = {},
): UseQueryResult<Answer> {
  const { every, enabled = true, keep = true } = options;
  return useQuery({
    queryKey: [path, query],
    queryFn: ({ signal }) => getJson<Answer>(path, query, signal),
    enabled,
    refetchInterval: every !== undefined && openDump() === undefined ? every : false,
    ...(keep && { placeholderData: keepPreviousData }),
  });
}

export function pageOf(row: number): number {
  return Math.floor(row / PAGE_ROWS);
}

export interface Rows<Item> {
  readonly total: number;
  /** Undefined while its page is not there yet. */
  readonly at: (index: number) => Item | undefined;
  /** When the answer that holds the row came, ms since 1970. */
  readonly answeredAt: (index: number) => number;
  readonly error: Error | null;
  /** Nothing is known yet, not even how many there are. */
  readonly pending: boolean;
}

/** Rows of a paged list, of which those from `first` to `last` are looked at. */
export function useRows<Item>(
  path: string,
  query: Query,
  { first, last }: { readonly first: number; readonly last: number },
  { every, enabled = true }: LiveOptions = {},
): Rows<Item> {
  const pages: number[] = [];
  for (let page = pageOf(first); page <= pageOf(last); page++) pages.push(page);
  const results = useQueries({
    queries: pages.map((page) => {
      const full = { ...query, offset: page * PAGE_ROWS, limit: PAGE_ROWS };
      return {
        queryKey: [path, full],
        queryFn: ({ signal }: { signal: AbortSignal }) => getJson<Page<Item>>(path, full, signal),
        enabled,
        refetchInterval: every !== undefined && openDump() === undefined ? every : (false as const),
        // Typing must not empty the table; scrolling must not show the wrong rows.
        ...(page === 0 && { placeholderData: keepPreviousData }),
      };
    }),
  });
  const byPage = new Map(pages.map((page, index) => [page, results[index]]));
  const latest = results.find(({ data }) => data !== undefined)?.data;
  // Who scrolls to a page that is not there yet still knows how long the list is.
  const question = JSON.stringify([path, query]);
  const known = useRef({ question, total: -1 });
  if (latest !== undefined) known.current = { question, total: latest.total };
  else if (known.current.question !== question) known.current = { question, total: -1 };
  const { total } = known.current;
  return {
    total: Math.max(0, total),
    at: (index) => byPage.get(pageOf(index))?.data?.items[index % PAGE_ROWS],
    answeredAt: (index) => byPage.get(pageOf(index))?.dataUpdatedAt ?? 0,
    error: results.find(({ error }) => error !== null)?.error ?? null,
    pending: total < 0,
  };
}

/** ms: an update brings thousands of resources, and each is an event. */
const GATHER_EVENTS_MS = 500;

/** What came in from a control plane makes what is shown of the configuration old. */
export function followEvents(): void {
  let waiting = false;
  observeEvents(({ name }) => {
    if (name !== 'config' || waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      void queryClient.invalidateQueries({
        predicate: ({ queryKey }) => CONFIGURATION.test(String(queryKey[0])),
      });
    }, GATHER_EVENTS_MS);
  });
}
