// tunneling_config: how the request looks that carries a TCP connection through HTTP.
// Follows Envoy's TunnelingConfigHelperImpl (source/common/tcp_proxy/tcp_proxy.cc); document: TcpProxy.TunnelingConfig.

import type { TcpProxy_TunnelingConfig } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/tcp_proxy/v3.ts';
import type { Formatter } from '../../../../api/access_log.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import { connectionLogContext } from '../../../../common/access_log/connection_log_context.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { compileFormat } from '../../../../common/formatter/substitution_formatter.ts';
import { RequestHeaders } from '../../../../common/http/header_map.ts';
import { compileHeaderParser, type HeaderParser } from '../../../../common/router/header_parser.ts';

const HANDLED = new Set(['hostname', 'use_post', 'headers_to_add', 'post_path']);

export class Tunneling {
  private readonly hostname: Formatter;
  private readonly usePost: boolean;
  private readonly postPath: string;
  private readonly headers: HeaderParser | undefined;

  constructor(hostname: Formatter, usePost: boolean, postPath: string, headers: HeaderParser | undefined) {
    this.hostname = hostname;
    this.usePost = usePost;
    this.postPath = postPath;
    this.headers = headers;
  }

  /** The head of the request. `secure`: over TLS. */
  requestHeaders(info: StreamInfo, secure: boolean): RequestHeaders {
    const host = this.hostname.format(connectionLogContext(info));
    const headers = this.usePost
      ? new RequestHeaders('POST', this.postPath, host, secure ? 'https' : 'http')
      : new RequestHeaders('CONNECT', '', host, '');
    this.headers?.evaluateRequestHeaders(headers, info);
    return headers;
  }
}

export function compileTunneling(
  config: TcpProxy_TunnelingConfig | undefined,
  context: FactoryContext,
  path: string,
): Tunneling | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, HANDLED, path);
  if (config.post_path !== '' && !config.use_post)
    throw new ConfigError(at(path, 'post_path'), "Can't set a post path when POST method isn't used");
  return new Tunneling(
    compileFormat(config.hostname, context, at(path, 'hostname'), { omitEmptyValues: true }),
    config.use_post,
    config.post_path || '/',
    compileHeaderParser(config.headers_to_add, [], context, path, 'request_headers'),
  );
}
