// Reads just enough HTTP/1.1 to make load and to answer it: heads and content-length bodies, one message at a time.

export class MessageReader {
  readonly #onMessage: (head: string) => void;
  /** Of the message that is arriving: its head so far, then the bytes of its body that are missing. */
  #head = '';
  #missing = 0;

  constructor(onMessage: (head: string) => void) {
    this.#onMessage = onMessage;
  }

  /** Throws when there is more than the message. */
  read(bytes: Buffer): void {
    if (this.#missing > 0) this.#missing -= bytes.length;
    else {
      const text = this.#head + bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      this.#head = end === -1 ? text : text.slice(0, end);
      if (end === -1) return;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1] ?? 0);
      this.#missing = length - (text.length - end - 4);
    }
    if (this.#missing > 0) return;
    if (this.#missing < 0) throw new Error(`more than one message after ${this.#head}`);
    const head = this.#head;
    this.#head = '';
    this.#onMessage(head);
  }
}
