// host_rewrite_literal, host_rewrite_header, host_rewrite_path_regex and host_rewrite (a format), compiled, with append_x_forwarded_host.
// Envoy: finalizeHostHeader in source/common/router/config_impl.cc, updateAuthority in source/common/http/utility.cc.

import type { RouteAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { Formatter } from '../../api/access_log.ts';
import { at } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileFormat } from '../formatter/substitution_formatter.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { withoutQuery } from '../matcher/path_matcher.ts';
import { formatOf, RegexRewrite } from './path_rewrite.ts';

export class HostRewrite {
  private readonly literal: string;
  private readonly header: string;
  private readonly pathRegex: RegexRewrite | undefined;
  private readonly format: Formatter | undefined;
  private readonly appendXForwardedHost: boolean;

  constructor(action: RouteAction, context: FactoryContext, path: string) {
    this.literal = latin1Of(action.host_rewrite_literal ?? '');
    this.header = headerName(action.host_rewrite_header ?? '');
    const regex = action.host_rewrite_path_regex;
    this.pathRegex = regex && new RegexRewrite(regex, at(path, 'host_rewrite_path_regex'));
    const format = action.host_rewrite ?? '';
    this.format = format === '' ? undefined : compileFormat(format, context, at(path, 'host_rewrite'));
    this.appendXForwardedHost = action.append_x_forwarded_host;
  }

  rewrite(headers: RequestHeaderMap, info: StreamInfo, keepOriginal: boolean): void {
    const host = this.newHost(headers, info);
    if (host !== '') updateAuthority(headers, host, this.appendXForwardedHost, keepOriginal);
  }

  private newHost(headers: RequestHeaderMap, info: StreamInfo): string {
    if (this.literal !== '') return this.literal;
    if (this.header !== '') return headers.get(this.header) ?? '';
    if (this.format !== undefined) return formatOf(this.format, headers, info);
    return this.pathRegex!.replace(withoutQuery(headers.path));
  }
}

/** Replaces the host, telling the old one in x-forwarded-host and (`keepOriginal`) in x-envoy-original-host. */
export function updateAuthority(
  headers: RequestHeaderMap,
  host: string,
  appendXForwardedHost: boolean,
  keepOriginal: boolean,
): void {
  const old = headers.host ?? '';
  if (keepOriginal && old !== '') headers.set('x-envoy-original-host', old);
  if (appendXForwardedHost && old !== '') {
    const forwarded = headers.get('x-forwarded-host') ?? '';
    const last = forwarded.slice(forwarded.lastIndexOf(',') + 1);
    // Once is enough when a request passes here again.
    if (forwarded === '') headers.set('x-forwarded-host', old);
    else if (last !== old) headers.set('x-forwarded-host', `${forwarded},${old}`);
  }
  headers.host = host;
}

/** Undefined when the route leaves the host alone. */
export function compileHostRewrite(
  action: RouteAction,
  context: FactoryContext,
  path: string,
): HostRewrite | undefined {
  const {
    host_rewrite_literal: literal,
    host_rewrite_header: header,
    host_rewrite_path_regex: regex,
    host_rewrite: format,
  } = action;
  return literal || header || format || regex !== undefined
    ? new HostRewrite(action, context, path)
    : undefined;
}
