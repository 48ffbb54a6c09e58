// The event loop's bookkeeping: the time of the current turn, and who has bytes to send when the turn ends.
// Every entry from node (a read, a timer, a connect) runs between `enter` and `leave`, so that all that one event causes
// on a socket leaves in one write, and the clock is read once. Envoy: source/common/event/dispatcher_impl.cc.

/** Somebody with gathered output. */
export interface Flushable {
  flush(): void;
}

let depth = 0;
let now = performance.now();
let scheduled = false;
let dirty: Flushable[] = [];
let flushing: Flushable[] = [];

/** Begins the handling of an event. Pair it with `leave` in a `finally`. */
export function enter(): void {
  if (depth++ === 0) now = performance.now();
}

/** Ends the handling of an event and sends what it left. */
export function leave(): void {
  if (--depth === 0 && dirty.length !== 0) flushAll();
}

/** `performance.now()` milliseconds at the beginning of the current event; exact enough for stats and timeouts. */
export function monotonicNow(): number {
  if (depth === 0) now = performance.now();
  return now;
}

/** Asks for `target.flush()` at the end of the current event, or soon where no event is being handled. */
export function requestFlush(target: Flushable): void {
  dirty.push(target);
  if (depth === 0 && !scheduled) {
    scheduled = true;
    queueMicrotask(flushScheduled);
  }
}

function flushScheduled(): void {
  scheduled = false;
  if (depth === 0) flushAll();
}

function flushAll(): void {
  // A flush may close a connection, whose callbacks may write to another: go on until nothing is left.
  while (dirty.length !== 0) {
    const batch = dirty;
    dirty = flushing;
    for (let i = 0; i < batch.length; i++) batch[i].flush();
    batch.length = 0;
    flushing = batch;
  }
}
