// Timers for streams and connections, cheap enough to arm on every request: all timers of one duration form a list in
// order of expiry, and node sees one timeout per list. Arming and disarming is a few pointer writes, no allocation; putting off is one.
// Envoy: source/common/event/timer_impl.cc.

import { enter, leave } from './dispatcher.ts';

/** Told when a timer fires. `timer` tells several timers of one owner apart. */
export interface TimerOwner {
  onTimeout(timer: Timer): void;
}

/** node's limit for a timeout, 2^31 - 1 ms; longer ones are re-armed until they are due. */
const MAX_TIMEOUT_MS = 2_147_483_647;

class TimerList {
  readonly durationMs: number;
  head: Timer | undefined = undefined;
  tail: Timer | undefined = undefined;
  armed = false;
  /** What was due at this time, `performance.now()`, fires. */
  private due = 0;
  /**
   * A thread that was busy finds timers expired whose event waits in the kernel: a connection that was established, an answer
   * that came. As libevent does for Envoy, what has come is read first: immediates run when node has polled.
   */
  private readonly poll = (): void => {
    this.due = performance.now();
    setImmediate(this.expire);
  };

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  append(timer: Timer): void {
    timer.previous = this.tail;
    timer.next = undefined;
    if (this.tail === undefined) this.head = timer;
    else this.tail.next = timer;
    this.tail = timer;
    if (!this.armed) this.arm(this.durationMs);
  }

  remove(timer: Timer): void {
    if (timer.previous === undefined) this.head = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next === undefined) this.tail = timer.previous;
    else timer.next.previous = timer.previous;
    timer.previous = undefined;
    timer.next = undefined;
  }

  private arm(ms: number): void {
    this.armed = true;
    setTimeout(this.poll, Math.min(Math.max(ms, 0), MAX_TIMEOUT_MS)).unref();
  }

  private readonly expire = (): void => {
    this.armed = false;
    const { due } = this;
    enter();
    try {
      for (let timer = this.head; timer !== undefined && timer.place <= due; timer = this.head) {
        timer.disable();
        if (timer.deadline > due) timer.waitOn(due);
        else timer.owner.onTimeout(timer);
      }
    } finally {
      // Also when an owner threw: the others must not wait for ever.
      if (this.head !== undefined && !this.armed) this.arm(Math.ceil(this.head.place - performance.now()));
      else if (this.head === undefined && !this.armed) lists.delete(this.durationMs);
      leave();
    }
  };
}

const lists = new Map<number, TimerList>();

/** One timer of one owner. It is armed or not; arming it again moves it. */
export class Timer {
  readonly owner: TimerOwner;
  /** `performance.now()` at which it fires. */
  deadline = 0;
  /** When its list looks at it: its deadline, or an earlier one that it had when it was armed. */
  place = 0;
  previous: Timer | undefined = undefined;
  next: Timer | undefined = undefined;
  private list: TimerList | undefined = undefined;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }

  get enabled(): boolean {
    return this.list !== undefined;
  }

  /** Fires once in `ms` milliseconds from `now` (`monotonicNow()`). Sub-millisecond parts are rounded up. */
  enable(ms: number, now: number): void {
    const duration = Math.ceil(ms);
    this.deadline = now + duration;
    if (this.list !== undefined) {
      // One that is put off, as idle timers are with every byte, stays where it is until its list comes to it.
      if (this.deadline >= this.place) return;
      this.list.remove(this);
    }
    this.join(duration, this.deadline);
  }

  /** Its list has come to it before its time. Powers of two, so that there are few lists however many timers are put off. */
  waitOn(now: number): void {
    const left = Math.min(Math.ceil(this.deadline - now), MAX_TIMEOUT_MS);
    const duration = 2 ** Math.floor(Math.log2(left));
    this.join(duration, now + duration);
  }

  private join(duration: number, place: number): void {
    let list = this.list;
    if (list === undefined || list.durationMs !== duration) {
      list = lists.get(duration);
      if (list === undefined) lists.set(duration, (list = new TimerList(duration)));
      this.list = list;
    }
    this.place = place;
    list.append(this);
  }

  disable(): void {
    if (this.list === undefined) return;
    this.list.remove(this);
    this.list = undefined;
  }
}
