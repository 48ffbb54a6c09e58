// The proxy's server-sent events: one stream for all tabs of the browser, held by a tab that is visible, resumed where the last
// one ended. Whoever holds the lock reads, and tells the others over a channel.

import { ask } from './client.ts';
import { openDump } from './dump.ts';

export interface ServerEvent {
  readonly name: string;
  readonly id: string;
  readonly data: unknown;
}

type Listener = (event: ServerEvent) => void;

const PATH = '/api/events';
const NAME = 'pilotfish.events';
/** ms before a stream that ended is opened again; doubled with each failure. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 15_000;

const listeners = new Set<Listener>();
const channel = new BroadcastChannel(NAME);
let lastEventId = '';
let stop: AbortController | undefined;

export function observeEvents(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Called once. */
export function startEvents(): void {
  channel.addEventListener('message', ({ data }: MessageEvent<ServerEvent>) => tell(data));
  document.addEventListener('visibilitychange', followVisibility);
  followVisibility();
}

function followVisibility(): void {
  if (document.hidden) {
    stop?.abort();
    stop = undefined;
  } else if (stop === undefined) {
    stop = new AbortController();
    void hold(stop.signal);
  }
}

/** Waits for the lock, then reads until `signal`. Where there are no locks (plain HTTP from afar), each tab reads for itself. */
async function hold(signal: AbortSignal): Promise<void> {
  try {
    if (navigator.locks === undefined) await readAgainAndAgain(signal);
    else await navigator.locks.request(NAME, { signal }, () => readAgainAndAgain(signal));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function readAgainAndAgain(signal: AbortSignal): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    try {
      if (openDump() === undefined) await read(signal, () => (retryMs = FIRST_RETRY_MS));
    } catch {
      // The banner tells of a lost proxy; here it is asked again.
    }
    if (signal.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

async function read(signal: AbortSignal, onOpen: () => void): Promise<void> {
  const headers = {
    accept: 'text/event-stream',
    ...(lastEventId !== '' && { 'last-event-id': lastEventId }),
  };
  const response = await ask(PATH, { signal, headers, cache: 'no-store' });
  onOpen();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop() as string;
    for (const block of blocks) {
      const event = parse(block);
      if (event === undefined) continue;
      tell(event);
      channel.postMessage(event);
    }
  }
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as the proxy uses it. */
function parse(block: string): ServerEvent | undefined {
  const fields: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  const { event, id, data } = fields;
  if (data === undefined) return undefined;
  return { name: event ?? 'message', id: id ?? '', data: JSON.parse(data) };
}

function tell(event: ServerEvent): void {
  if (event.id !== '') lastEventId = event.id;
  for (const listener of listeners) listener(event);
}
