// Server-sent events of things that happen: from a subscription to the text of a stream.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

/** Events that a slow reader has not taken yet; beyond that it is cut off, and comes back. */
const MAX_QUEUED_EVENTS = 1000;
/** ms between comments that keep a silent stream alive through proxies. */
const HEARTBEAT_MS = 15_000;

export interface ServerSentEvent {
  readonly event: string;
  readonly id?: number | string;
  /** JSON. */
  readonly data: string;
}

/** Ends when its reader goes or is too slow. `subscribe` gets what takes the events, and gives what ends that. */
export async function* eventStream(
  subscribe: (push: (event: ServerSentEvent) => void) => () => void,
): AsyncGenerator<string> {
  const queue: ServerSentEvent[] = [];
  let overflowed = false;
  let wake: () => void = () => undefined;
  const end = subscribe((event) => {
    if (queue.length < MAX_QUEUED_EVENTS) queue.push(event);
    else overflowed = true;
    wake();
  });
  try {
    // A first comment, so that the reader knows that from now on nothing is missed.
    yield ': connected\n\n';
    while (!overflowed) {
      const next = queue.shift();
      if (next !== undefined) {
        yield `event: ${next.event}\n${next.id === undefined ? '' : `id: ${next.id}\n`}data: ${next.data}\n\n`;
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => resolve(true), HEARTBEAT_MS);
      timer.unref();
      wake = () => resolve(false);
      const silent = await promise;
      clearTimeout(timer);
      if (silent) yield ': silent\n\n';
    }
  } finally {
    end();
  }
}
