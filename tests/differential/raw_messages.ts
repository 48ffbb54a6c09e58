// Just enough of HTTP/1.1 to know where messages end in bytes that are otherwise left alone.

export class Messages {
  /** Whole messages so far; interim responses are not counted. */
  complete = 0;
  /** The last response said `connection: close`. */
  closing = false;
  /** Heads and bodies of whole messages, as they came. */
  readonly texts: string[] = [];
  private readonly kind: 'request' | 'response';
  private buffer = '';
  private readonly methods: string[] = [];

  constructor(kind: 'request' | 'response') {
    this.kind = kind;
  }

  /** Notes the methods of requests that are sent, since a response to HEAD has no body. */
  expect(text: string): void {
    for (const [, method] of text.matchAll(/^([A-Z]+) \S+ HTTP\/1/gm)) this.methods.push(method);
  }

  add(bytes: Buffer): void {
    this.buffer += bytes.toString('latin1');
    while (this.next());
  }

  /** The head that has come in full, of a message whose body may still be on its way. */
  get pendingHead(): string | undefined {
    const end = this.buffer.indexOf('\r\n\r\n');
    return end < 0 ? undefined : this.buffer.slice(0, end + 4);
  }

  get unread(): string {
    return this.buffer;
  }

  private next(): boolean {
    const head = this.pendingHead;
    if (head === undefined) return false;
    const status = Number(/^HTTP\/1\.\d (\d+)/.exec(head)?.[1] ?? 0);
    if (this.kind === 'response' && status < 200 && status !== 101) {
      this.buffer = this.buffer.slice(head.length);
      return true;
    }
    const end = this.bodyEnd(head, status);
    if (end === undefined) return false;
    this.texts.push(this.buffer.slice(0, end));
    this.buffer = this.buffer.slice(end);
    this.methods.shift();
    this.complete++;
    if (/^connection: close\r$/im.test(head)) this.closing = true;
    return true;
  }

  private bodyEnd(head: string, status: number): number | undefined {
    const none = this.kind === 'response' && (this.methods[0] === 'HEAD' || [101, 204, 304].includes(status));
    if (none) return head.length;
    if (/^transfer-encoding: .*chunked\r$/im.test(head)) {
      const end = /\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(`\r\n${this.buffer.slice(head.length)}`);
      return end === null ? undefined : head.length + end.index - 2 + end[0].length;
    }
    const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
    if (length === undefined) return this.kind === 'request' ? head.length : undefined;
    const end = head.length + Number(length);
    return this.buffer.length >= end ? end : undefined;
  }
}
