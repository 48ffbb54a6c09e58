// Memory that connections of this thread write their frames into. A page is on loan from the first frame of a turn until its
// bytes are sent, so that an idle connection holds none, and a few pages serve them all.

/** What most connections send in a turn: a few messages. Many write in the same turn, so their pages are small. */
export const SMALL_PAGE_BYTES = 4096;
/** What a busy connection sends before it is flushed; more makes it several pages, which leave in one vector. */
export const LARGE_PAGE_BYTES = 64 * 1024;
/** Bytes of pages kept for reuse, of each size. */
const MAX_FREE_BYTES = 4 * 1024 * 1024;

class PagePool {
  private readonly small: Buffer[] = [];
  private readonly large: Buffer[] = [];

  /** A page with room for `length` bytes, and one of `usual` bytes (one of the two sizes above) if that is more. */
  take(length: number, usual: number): Buffer {
    const bytes = Math.max(length, usual);
    if (bytes === SMALL_PAGE_BYTES) return this.small.pop() ?? Buffer.allocUnsafeSlow(SMALL_PAGE_BYTES);
    if (bytes > LARGE_PAGE_BYTES) return Buffer.allocUnsafeSlow(bytes);
    return this.large.pop() ?? Buffer.allocUnsafeSlow(LARGE_PAGE_BYTES);
  }

  /** Nobody reads `page` any more. */
  giveBack(page: Buffer): void {
    const { length } = page;
    if (length === SMALL_PAGE_BYTES) keep(this.small, page);
    else if (length === LARGE_PAGE_BYTES) keep(this.large, page);
  }
}

function keep(free: Buffer[], page: Buffer): void {
  if (free.length * page.length < MAX_FREE_BYTES) free.push(page);
}

/** The pool of this thread. */
export const pages = new PagePool();
