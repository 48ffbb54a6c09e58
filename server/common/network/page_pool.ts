// Memory that connections of this thread write their frames into. A page is on loan from the first frame of a turn until its
// bytes are sent, so that an idle connection holds none, and a few pages serve them all.

/** Enough for what a turn usually sends on a connection; more makes it several pages, which leave in one vector. */
const PAGE_BYTES = 64 * 1024;
/** Pages kept for reuse (4 MiB): as many connections as write in one turn. */
const MAX_FREE_PAGES = 64;

class PagePool {
  private readonly free: Buffer[] = [];

  /** A page with room for `length` bytes. */
  take(length: number): Buffer {
    if (length > PAGE_BYTES) return Buffer.allocUnsafeSlow(length);
    return this.free.pop() ?? Buffer.allocUnsafeSlow(PAGE_BYTES);
  }

  /** Nobody reads `page` any more. */
  giveBack(page: Buffer): void {
    if (page.length === PAGE_BYTES && this.free.length < MAX_FREE_PAGES) this.free.push(page);
  }
}

/** The pool of this thread. */
export const pages = new PagePool();
