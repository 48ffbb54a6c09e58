// Turns a scanned head into a header map and into what the codec must know of it to find the end of the message.
// Envoy: onHeaderField and onHeaderValue in source/common/http/http1/codec_impl.cc.

import type { CodecError } from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { HTTP1_CODEC_STATS } from '../../stats/families/codec.ts';
import type { Headers, RequestHeaders } from '../header_map.ts';
import {
  internHeaderName,
  KIND_CONTENT_LENGTH,
  KIND_HOST,
  KIND_REGULAR,
  KIND_TRANSFER_ENCODING,
} from '../header_names.ts';
import {
  INVALID_CONTENT_LENGTH,
  INVALID_TRANSFER_ENCODING,
  MULTIPLE_CONTENT_LENGTHS,
  UNEXPECTED_UNDERSCORE,
} from './errors.ts';
import { FIELD_SIZE, headScanner } from './head_scanner.ts';
import type { PreserveCaseFormatter } from './header_formatter.ts';
import type { Http1Settings } from './settings.ts';

/** The counters `http1.*` of a connection manager's or a cluster's codecs. */
export type Http1CodecStats = StatBlock<keyof typeof HTTP1_CODEC_STATS.offset>;

const { dropped_headers_with_underscores, requests_rejected_with_underscores_in_headers } =
  HTTP1_CODEC_STATS.offset;

/** Adds one to the counter at `offset`, where counters are kept. */
export function count(stats: Http1CodecStats | undefined, offset: number): void {
  if (stats !== undefined) stats.values[stats.base + offset]++;
}

export class MessageHead {
  /** -1 without a Content-Length. */
  contentLength = -1;
  chunked = false;
  /** Set while trailers are read. */
  inTrailers = false;
  private readonly settings: Http1Settings;
  private readonly stats: Http1CodecStats | undefined;
  private readonly checksUnderscores: boolean;

  constructor(settings: Http1Settings, stats: Http1CodecStats | undefined) {
    this.settings = settings;
    this.stats = stats;
    this.checksUnderscores = settings.headersWithUnderscoresAction !== 'ALLOW';
  }

  /**
   * Reads what `headScanner` found into `headers`. `text` is the latin1 of `bytes` from offset `base` on. `request` is the
   * same map as `headers` where Host is to become its authority.
   */
  read(
    bytes: Uint8Array,
    text: string,
    base: number,
    headers: Headers,
    request: RequestHeaders | undefined,
    formatter: PreserveCaseFormatter | undefined,
  ): CodecError | undefined {
    this.contentLength = -1;
    this.chunked = false;
    const fields = headScanner.fields;
    const end = headScanner.fieldCount * FIELD_SIZE;
    for (let i = 0; i < end; i += FIELD_SIZE) {
      const header = internHeaderName(bytes, fields[i], fields[i + 1], fields[i + 4]);
      if (header.hasUnderscore && this.checksUnderscores) {
        if (this.settings.headersWithUnderscoresAction === 'REJECT_REQUEST') {
          count(this.stats, requests_rejected_with_underscores_in_headers);
          return UNEXPECTED_UNDERSCORE;
        }
        count(this.stats, dropped_headers_with_underscores);
        continue;
      }
      if (formatter !== undefined) {
        formatter.processKey(header.name, text.slice(fields[i] - base, fields[i + 1] - base));
      }
      const value = text.slice(fields[i + 2] - base, fields[i + 3] - base);
      if (header.kind !== KIND_REGULAR && header.kind <= KIND_TRANSFER_ENCODING) {
        // Trailers come too late to frame or route anything; passed on, they might fool whoever merges them into headers.
        if (this.inTrailers) continue;
        if (header.kind === KIND_HOST && request !== undefined) {
          // A second Host joins the first with a comma, as Envoy's header map does.
          request.host = request.host === undefined ? value : request.host + ',' + value;
          continue;
        }
        if (header.kind === KIND_CONTENT_LENGTH) {
          if (this.contentLength >= 0) return MULTIPLE_CONTENT_LENGTHS;
          this.contentLength = parseContentLength(value);
          if (this.contentLength < 0) return INVALID_CONTENT_LENGTH;
        } else if (header.kind === KIND_TRANSFER_ENCODING) {
          if (this.chunked || !isChunked(value)) return INVALID_TRANSFER_ENCODING;
          this.chunked = true;
        }
      }
      headers.add(header.name, value, header.bit);
    }
    return undefined;
  }
}

/** Digits only, up to 2^53 - 1 (more cannot be counted exactly). -1 when it is no such number. */
export function parseContentLength(value: string): number {
  const length = value.length;
  if (length === 0) return -1;
  let parsed = 0;
  for (let i = 0; i < length; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    parsed = parsed * 10 + digit;
  }
  return parsed <= Number.MAX_SAFE_INTEGER ? parsed : -1;
}

function isChunked(value: string): boolean {
  return value === 'chunked' || (value.length === 7 && value.toLowerCase() === 'chunked');
}
