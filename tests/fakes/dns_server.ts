// A DNS server on loopback over UDP, and over TCP where that is asked for: answers A and AAAA questions from a table that tests change, and counts the questions.

import { createSocket, type Socket } from 'node:dgram';
import net, { isIPv4 } from 'node:net';

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** Addresses of either family; 'fail' answers SERVFAIL, 'silent' nothing at all. A name without a record does not exist. */
export type DnsRecord = readonly string[] | 'fail' | 'silent';

export class FakeDnsServer {
  readonly records = new Map<string, DnsRecord>();
  /** Seconds. */
  ttl = 1;
  /** `A name` and `AAAA name`, in the order they came. */
  readonly questions: string[] = [];
  /** How many of them came over TCP. */
  overTcp = 0;
  #tcp: net.Server | undefined;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, peer) => {
      const answer = this.#answer(query);
      if (answer !== undefined) socket.send(answer, peer.port, peer.address);
    });
    socket.on('error', () => undefined);
  }

  static async start(records: Readonly<Record<string, DnsRecord>> = {}): Promise<FakeDnsServer> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const server = new FakeDnsServer(socket);
    for (const [name, record] of Object.entries(records)) server.records.set(name, record);
    return server;
  }

  /** Takes questions over TCP, too, on the same port. */
  async listenOnTcp(): Promise<void> {
    this.#tcp = net.createServer((socket) => {
      let received = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
        while (received.length > 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0);
          const answer = this.#answer(received.subarray(2, end));
          this.overTcp++;
          received = received.subarray(end);
          if (answer === undefined) continue;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
      });
    });
    await new Promise<void>((resolve) => this.#tcp!.listen(this.port, '127.0.0.1', resolve));
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** `typed_dns_resolver_config` that asks this server. */
  resolver(more: object = {}): object {
    return {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        resolvers: [{ socket_address: { address: '127.0.0.1', port_value: this.port } }],
        dns_resolver_options: { no_default_search_domain: true },
        ...more,
      },
    };
  }

  count(question: string): number {
    return this.questions.filter((each) => each === question).length;
  }

  close(): void {
    this.#tcp?.close();
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (; query[at] !== 0; at += query[at]! + 1)
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    const type = query.readUInt16BE(at + 1);
    const name = labels.join('.').toLowerCase();
    this.questions.push(`${type === TYPE_A ? 'A' : type === TYPE_AAAA ? 'AAAA' : type} ${name}`);
    const record = this.records.get(name);
    if (record === 'silent') return undefined;
    const addresses =
      typeof record === 'object' ? record.filter((ip) => isIPv4(ip) === (type === TYPE_A)) : [];
    const code = record === 'fail' ? 2 : record === undefined ? 3 : 0;
    const header = Buffer.from([0, 0, 0x81, 0x80 | code, 0, 1, 0, addresses.length, 0, 0, 0, 0]);
    query.copy(header, 0, 0, 2);
    const answers = addresses.map((ip) => this.#record(type, ip));
    return Buffer.concat([header, query.subarray(12, at + 5), ...answers]);
  }

  #record(type: number, ip: string): Buffer {
    const data = type === TYPE_A ? ip.split('.').map(Number) : ipv6Bytes(ip);
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length, ...data]);
    record.writeUInt32BE(this.ttl, 6);
    return record;
  }
}

function ipv6Bytes(ip: string): number[] {
  const [head = '', tail = ''] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
