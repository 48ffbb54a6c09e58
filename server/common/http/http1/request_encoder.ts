// Writes requests. One object serves all requests of its connection, one after the other.
// Envoy: RequestEncoderImpl in source/common/http/http1/codec_impl.cc.

import type { RequestEncoder } from '../../../api/http/codec.ts';
import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import { isUpgrade } from '../headers.ts';
import { MessageEncoder } from './message_encoder.ts';

export class Http1RequestEncoder extends MessageEncoder implements RequestEncoder {
  /** True while no request is under way. */
  complete = true;
  /** Of the newest request: what the response's framing depends on. */
  isHead = false;
  isConnect = false;
  isUpgrade = false;

  begin(): void {
    this.complete = false;
    this.chunked = false;
    this.isHead = false;
    this.isConnect = false;
    this.isUpgrade = false;
  }

  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    const method = headers.method;
    this.isHead = method === 'HEAD';
    this.isConnect = method === 'CONNECT';
    this.isUpgrade = isUpgrade(headers);
    const framing = this.frame(headers, endStream);
    const host = headers.host === undefined ? '' : this.line(headers, 'host', headers.host);
    const start = method + ' ' + this.target(headers) + ' HTTP/1.1' + host;
    this.sink.writeLatin1(start + this.headerLines(headers) + framing + '\r\n\r\n');
    if (endStream) this.onComplete();
  }

  private target(headers: RequestHeaderMap): string {
    const host = headers.host ?? '';
    if (this.isConnect) return host;
    if (!this.settings.sendFullyQualifiedUrl) return headers.path;
    return (headers.scheme === '' ? 'http' : headers.scheme) + '://' + host + headers.path;
  }

  /** Decides how the body is delimited and returns the header line that says so. */
  private frame(headers: RequestHeaderMap, endStream: boolean): string {
    this.chunked = false;
    if (this.isConnect || headers.get('content-length') !== undefined) return '';
    if (endStream) return hasNoBody(headers.method) ? '' : this.line(headers, 'content-length', '0');
    if (this.isUpgrade) return '';
    this.chunked = true;
    return this.line(headers, 'transfer-encoding', 'chunked');
  }

  protected override onComplete(): void {
    this.complete = true;
  }
}

/** Methods whose requests usually have no body and so need not say that theirs is empty. Envoy: requestShouldHaveNoBody. */
function hasNoBody(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'DELETE':
    case 'TRACE':
    case 'CONNECT':
      return true;
    default:
      return false;
  }
}
