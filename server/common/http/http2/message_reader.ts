// Turns a decoded header block into a header map, and refuses what is no HTTP message (RFC 9113 8.1 to 8.3).
// Envoy: the checks of nghttp2's and oghttp2's header validators and onHeader in source/common/http/http2/codec_impl.cc.

import type { StatBlock } from '../../../api/stats.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import type { Headers, RequestHeaders, ResponseHeaders, Trailers } from '../header_map.ts';
import {
  KIND_CONNECTION_SPECIFIC,
  KIND_CONTENT_LENGTH,
  KIND_COOKIE,
  KIND_HOST,
  KIND_REGULAR,
  KIND_TE,
  KIND_TRANSFER_ENCODING,
} from '../header_names.ts';
import { parseContentLength } from '../http1/message_head.ts';
import { decodedBlock } from './hpack/decoder.ts';
import {
  FIRST_PSEUDO_KIND,
  type HeaderField,
  KIND_AUTHORITY,
  KIND_METHOD,
  KIND_PATH,
  KIND_PROTOCOL,
  KIND_SCHEME,
  KIND_STATUS,
} from './hpack/header_field.ts';
import type { Http2Settings } from './settings.ts';

// Response code details. Source: Http2ResponseCodeDetailValues in source/common/http/http2/codec_impl.cc.
export const INVALID_HEADER_FIELD = 'http2.invalid.header.field';
export const MESSAGING_RULE = 'http2.violation.of.messaging.rule';
export const UNEXPECTED_UNDERSCORE = 'http2.unexpected_underscore';
export const TOO_MANY_HEADERS = 'http2.too_many_headers';
export const HEADER_LIST_SIZE_TOO_LARGE = 'http2.header_list_size_too_large';

const STAT = HTTP2_CODEC_STATS.offset;
const SLASH = 47;

class MessageReader {
  /** Content-Length of the message read last, -1 without one. */
  contentLength = -1;
  private seen = 0;
  private cookie = '';
  private regularSeen = false;
  private hostHeader: string | undefined = undefined;
  private allowsProtocol = false;

  /** Reads `decodedBlock` into `headers`. Returns what is wrong with it (response code details), or undefined. */
  readRequest(headers: RequestHeaders, settings: Http2Settings, stats: StatBlock): string | undefined {
    this.begin();
    this.allowsProtocol = settings.allowConnect;
    const { fields, count } = decodedBlock;
    for (let i = 0; i < count; i++) {
      const field = fields[i];
      if (!field.valid) return INVALID_HEADER_FIELD;
      const { kind } = field;
      if (kind >= FIRST_PSEUDO_KIND) {
        if (!this.readRequestPseudo(headers, field)) return INVALID_HEADER_FIELD;
        continue;
      }
      if (field.hasUnderscore && settings.headersWithUnderscoresAction !== 'ALLOW') {
        if (settings.headersWithUnderscoresAction === 'REJECT_REQUEST') {
          stats.values[stats.base + STAT.requests_rejected_with_underscores_in_headers]++;
          return UNEXPECTED_UNDERSCORE;
        }
        stats.values[stats.base + STAT.dropped_headers_with_underscores]++;
        continue;
      }
      this.regularSeen = true;
      if (kind === KIND_REGULAR) headers.add(field.name, field.value, field.bit);
      else if (kind === KIND_HOST) {
        if (this.hostHeader !== undefined) return INVALID_HEADER_FIELD;
        this.hostHeader = field.value;
      } else if (!this.readSpecial(headers, field)) return INVALID_HEADER_FIELD;
    }
    if (this.cookie !== '') headers.append('cookie', this.cookie);
    // The authority wins over a Host that says something else, as in Envoy.
    if (headers.host === undefined) headers.host = this.hostHeader;
    return this.requestIsComplete(headers) ? undefined : MESSAGING_RULE;
  }

  /** As `readRequest`. A 101 has no place on HTTP/2. */
  readResponse(headers: ResponseHeaders): string | undefined {
    this.begin();
    const { fields, count } = decodedBlock;
    for (let i = 0; i < count; i++) {
      const field = fields[i];
      if (!field.valid) return INVALID_HEADER_FIELD;
      const { kind } = field;
      if (kind === KIND_REGULAR || kind === KIND_HOST) {
        this.regularSeen = true;
        headers.add(field.name, field.value, field.bit);
      } else if (kind < FIRST_PSEUDO_KIND) {
        this.regularSeen = true;
        if (!this.readSpecial(headers, field)) return INVALID_HEADER_FIELD;
      } else {
        if (kind !== KIND_STATUS || this.regularSeen || this.isSecond(kind)) return INVALID_HEADER_FIELD;
        headers.status = Number(field.value);
      }
    }
    if (this.cookie !== '') headers.append('cookie', this.cookie);
    if (this.seen === 0 || headers.status === 101) return MESSAGING_RULE;
    // A message without a body has no length: what the field says is of no use (RFC 9110 8.6).
    if (headers.status < 200 || headers.status === 204) this.contentLength = -1;
    return undefined;
  }

  /** As `readRequest`. Fields that frame or route come too late here, and are left out. */
  readTrailers(trailers: Trailers): string | undefined {
    this.begin();
    const { fields, count } = decodedBlock;
    for (let i = 0; i < count; i++) {
      const field = fields[i];
      if (!field.valid || field.kind >= FIRST_PSEUDO_KIND) return INVALID_HEADER_FIELD;
      if (field.kind === KIND_REGULAR) trailers.add(field.name, field.value, field.bit);
      else if (field.kind === KIND_COOKIE) trailers.add(field.name, field.value, field.bit);
      else if (field.kind !== KIND_HOST && !this.readSpecial(trailers, field)) return INVALID_HEADER_FIELD;
    }
    return undefined;
  }

  private begin(): void {
    this.contentLength = -1;
    this.seen = 0;
    this.cookie = '';
    this.regularSeen = false;
    this.hostHeader = undefined;
  }

  private isSecond(kind: number): boolean {
    const bit = 1 << kind;
    if ((this.seen & bit) !== 0) return true;
    this.seen |= bit;
    return false;
  }

  private readRequestPseudo(headers: RequestHeaders, field: HeaderField): boolean {
    const { kind, value } = field;
    if (this.regularSeen || this.isSecond(kind)) return false;
    switch (kind) {
      case KIND_METHOD:
        headers.method = value;
        return true;
      case KIND_PATH:
        headers.path = value;
        return true;
      case KIND_SCHEME:
        headers.scheme = value;
        return true;
      case KIND_AUTHORITY:
        headers.host = value;
        return true;
      case KIND_PROTOCOL:
        headers.protocol = value;
        return this.allowsProtocol;
      default:
        return false;
    }
  }

  private readSpecial(headers: Headers, field: HeaderField): boolean {
    const { value } = field;
    switch (field.kind) {
      case KIND_CONNECTION_SPECIFIC:
      case KIND_TRANSFER_ENCODING:
        return false;
      case KIND_TE:
        if (value !== 'trailers' && value.toLowerCase() !== 'trailers') return false;
        break;
      case KIND_CONTENT_LENGTH:
        if (this.contentLength >= 0) return false;
        this.contentLength = parseContentLength(value);
        if (this.contentLength < 0) return false;
        break;
      case KIND_COOKIE:
        // Clients may cut a cookie into crumbs for better compression (RFC 9113 8.2.3).
        this.cookie = this.cookie === '' ? value : this.cookie + '; ' + value;
        return true;
    }
    headers.add(field.name, value, field.bit);
    return true;
  }

  private requestIsComplete(headers: RequestHeaders): boolean {
    const { method, path } = headers;
    if (method === 'CONNECT' && headers.protocol === undefined)
      return headers.host !== undefined && path === '' && headers.scheme === '';
    if (headers.protocol !== undefined && method !== 'CONNECT') return false;
    if (method === '' || path === '' || headers.scheme === '' || headers.host === undefined) return false;
    return path.charCodeAt(0) === SLASH || (path === '*' && method === 'OPTIONS');
  }
}

/** What is wrong with the size of the block in `decodedBlock`, or undefined. */
export function overflowFault(): string | undefined {
  if (decodedBlock.tooManyFields) return TOO_MANY_HEADERS;
  return decodedBlock.tooManyBytes ? HEADER_LIST_SIZE_TOO_LARGE : undefined;
}

/** The reader of this thread: a block is read at once, so one is enough. */
export const messageReader = new MessageReader();
