// The header maps: one flat list of names and values, pseudo-headers as fields, and 32 bits that remember which names may be
// there, so that asking for an absent header (what filters mostly do) costs no scan.
// Envoy: source/common/http/header_map_impl.cc.

import type {
  HeaderKeyFormatter,
  HeaderMap,
  RequestHeaderMap,
  ResponseHeaderMap,
  TrailerMap,
} from '../../api/http/header_map.ts';

const COLON = 58;

/** One of 32 bits for a name. Length, first and last character tell the usual names apart; the shift takes the sum modulo 32. */
export function nameBit(name: string): number {
  const length = name.length;
  return 1 << (length * 5 + name.charCodeAt(0) * 3 + name.charCodeAt(length - 1));
}

/** What all header maps share. */
export abstract class Headers implements HeaderMap {
  readonly list: string[];
  /** Spelling of names on HTTP/1 (preserve_case), set by the codec that read them. */
  formatter: HeaderKeyFormatter | undefined;
  /** Union of `nameBit` of all names ever added. Removal leaves bits set: they may only err towards a scan. */
  private bits: number;

  constructor(list: string[]) {
    this.list = list;
    this.formatter = undefined;
    this.bits = 0;
    for (let i = 0; i < list.length; i += 2) this.bits |= nameBit(list[i]);
  }

  /** A pseudo-header, or `host`, which is `:authority` in a request. Undefined when absent. */
  protected abstract getSpecial(name: string): string | undefined;
  /** Sets it (undefined: clears it). False when this map has no such field, so that it is a regular header. */
  protected abstract setSpecial(name: string, value: string | undefined): boolean;
  protected abstract specialByteSize(): number;

  get(name: string): string | undefined {
    if (isSpecial(name)) return this.getSpecial(name);
    return this.find(name);
  }

  getAll(name: string): string | undefined {
    const first = this.get(name);
    if (first === undefined || isSpecial(name)) return first;
    let all = first;
    const list = this.list;
    for (let i = list.indexOf(name) + 2; i < list.length; i += 2) {
      if (list[i] === name) all += ',' + list[i + 1];
    }
    return all;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  append(name: string, value: string): void {
    if (isSpecial(name) && this.setSpecial(name, value)) return;
    this.add(name, value, nameBit(name));
  }

  /** As `append`, for a name known to be no field of this map. The codecs' way in; `bit` is `nameBit(name)`. */
  add(name: string, value: string, bit: number): void {
    this.list.push(name, value);
    this.bits |= bit;
  }

  set(name: string, value: string): void {
    if (isSpecial(name) && this.setSpecial(name, value)) return;
    const at = this.indexOf(name);
    if (at < 0) {
      this.add(name, value, nameBit(name));
      return;
    }
    this.list[at + 1] = value;
    this.removeFrom(at + 2, name);
  }

  remove(name: string): boolean {
    if (isSpecial(name)) {
      const present = this.getSpecial(name) !== undefined;
      if (this.setSpecial(name, undefined)) return present;
    }
    const at = this.indexOf(name);
    if (at < 0) return false;
    this.removeFrom(at, name);
    return true;
  }

  byteSize(): number {
    const list = this.list;
    let size = this.specialByteSize();
    for (let i = 0; i < list.length; i++) size += list[i].length;
    return size;
  }

  /** The first value of a regular header. */
  protected find(name: string): string | undefined {
    const at = this.indexOf(name);
    return at < 0 ? undefined : this.list[at + 1];
  }

  private indexOf(name: string): number {
    if ((this.bits & nameBit(name)) === 0) return -1;
    const list = this.list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === name) return i;
    }
    return -1;
  }

  /** Removes every `name` at or after index `from`, closing the gaps in place. */
  private removeFrom(from: number, name: string): void {
    const list = this.list;
    let to = from;
    for (let i = from; i < list.length; i += 2) {
      if (list[i] === name) continue;
      list[to] = list[i];
      list[to + 1] = list[i + 1];
      to += 2;
    }
    list.length = to;
  }
}

function isSpecial(name: string): boolean {
  return name.charCodeAt(0) === COLON || name === 'host';
}

/** Headers of a request. `host` is an alias of `:authority`, as in Envoy. */
export class RequestHeaders extends Headers implements RequestHeaderMap {
  method: string;
  path: string;
  host: string | undefined;
  scheme: string;
  protocol: string | undefined;

  /** `list` becomes the map's own. It holds regular headers only. */
  constructor(
    method = '',
    path = '',
    host: string | undefined = undefined,
    scheme = '',
    list: string[] = [],
  ) {
    super(list);
    this.method = method;
    this.path = path;
    this.host = host;
    this.scheme = scheme;
    this.protocol = undefined;
  }

  protected override getSpecial(name: string): string | undefined {
    switch (name) {
      case ':method':
        return this.method === '' ? undefined : this.method;
      case ':path':
        return this.path === '' ? undefined : this.path;
      case ':authority':
      case 'host':
        return this.host;
      case ':scheme':
        return this.scheme === '' ? undefined : this.scheme;
      case ':protocol':
        return this.protocol;
      default:
        return undefined;
    }
  }

  protected override setSpecial(name: string, value: string | undefined): boolean {
    switch (name) {
      case ':method':
        this.method = value ?? '';
        return true;
      case ':path':
        this.path = value ?? '';
        return true;
      case ':authority':
      case 'host':
        this.host = value;
        return true;
      case ':scheme':
        this.scheme = value ?? '';
        return true;
      case ':protocol':
        this.protocol = value;
        return true;
      default:
        return false;
    }
  }

  protected override specialByteSize(): number {
    let size = 0;
    if (this.method !== '') size += 7 + this.method.length;
    if (this.path !== '') size += 5 + this.path.length;
    if (this.host !== undefined) size += 10 + this.host.length;
    if (this.scheme !== '') size += 7 + this.scheme.length;
    if (this.protocol !== undefined) size += 9 + this.protocol.length;
    return size;
  }
}

/** Headers of a response. */
export class ResponseHeaders extends Headers implements ResponseHeaderMap {
  status: number;

  /** `list` becomes the map's own. */
  constructor(status = 200, list: string[] = []) {
    super(list);
    this.status = status;
  }

  protected override getSpecial(name: string): string | undefined {
    return name === ':status' ? String(this.status) : this.find(name);
  }

  protected override setSpecial(name: string, value: string | undefined): boolean {
    if (name !== ':status') return false;
    if (value !== undefined) this.status = Number(value);
    return true;
  }

  protected override specialByteSize(): number {
    return 10;
  }
}

/** Trailers of either direction. */
export class Trailers extends Headers implements TrailerMap {
  /** `list` becomes the map's own. */
  constructor(list: string[] = []) {
    super(list);
  }

  protected override getSpecial(name: string): string | undefined {
    return this.find(name);
  }

  protected override setSpecial(): boolean {
    return false;
  }

  protected override specialByteSize(): number {
    return 0;
  }
}
