// The headers of a message. Values are latin1 text (one character is one byte), names lower-case. Pseudo-headers are
// fields, since nearly every request reads them; the rest is one flat list that the codecs walk without allocating.
// Envoy: envoy/http/header_map.h.

/** How the names of one message are spelled on HTTP/1 (stateful header formatters). Envoy: HeaderKeyFormatter. */
export interface HeaderKeyFormatter {
  /** The spelling of `name` (lower-case). Filters may have added names that were never received. */
  format(name: string): string;
  /** The reason phrase to send with a response instead of the usual one. */
  readonly reasonPhrase?: string | undefined;
}

/** Regular headers as a flat list `[name, value, name, value, ...]` in the order received. */
export interface HeaderMap {
  /** Read it freely; write only through the methods, which keep the quick-reject bits right. */
  readonly list: string[];
  /** Set by a codec with `preserve_case`: an HTTP/1 encoder spells the names with it. */
  formatter?: HeaderKeyFormatter | undefined;
  /** The first value of `name` (lower-case), or undefined. Understands pseudo-headers (`:path`). */
  get(name: string): string | undefined;
  /** All values joined with a comma, as Envoy's matchers and formatter see a repeated header. */
  getAll(name: string): string | undefined;
  has(name: string): boolean;
  /** Adds another value, keeping those there. */
  append(name: string, value: string): void;
  /** Replaces all values; the first one's place in the order is kept. */
  set(name: string, value: string): void;
  /** Removes all values. True if there was one. */
  remove(name: string): boolean;
  /** Bytes as Envoy counts them: names plus values. */
  byteSize(): number;
}

export interface RequestHeaderMap extends HeaderMap {
  method: string;
  /** Path with query, `''` for a CONNECT without one. */
  path: string;
  /** `:authority` or Host; undefined when the request had none. */
  host: string | undefined;
  scheme: string;
  /** The extended CONNECT protocol (websocket). HTTP/1 upgrades keep `upgrade` as a header. */
  protocol: string | undefined;
}

export interface ResponseHeaderMap extends HeaderMap {
  /** 100 to 999. */
  status: number;
}

export type TrailerMap = HeaderMap;
