// Routes that answer by themselves: direct_response, redirect, and the redirect to https that require_tls asks for.
// Envoy: DirectResponseEntry in source/common/router/config_impl.cc, config_utility.cc.

import { readFileSync } from 'node:fs';
import type { DataSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { DirectResponseAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { Formatter } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { DirectResponseEntry } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileSubstitutionFormatString } from '../formatter/substitution_formatter.ts';
import { checkFields } from './handled_fields.ts';
import type { PathRewrite } from './path_rewrite.ts';
import type { Redirect } from './redirect.ts';
import { rewritePath } from './route_entry.ts';

/** RouteConfiguration.max_direct_response_body_size_bytes. */
export const DEFAULT_MAX_DIRECT_RESPONSE_BODY_SIZE_BYTES = 4096;

const TEXT_PLAIN = 'text/plain';
const JSON_TYPE = 'application/json';

class DirectResponse implements DirectResponseEntry {
  readonly responseCode: number;
  readonly contentType: string;
  private readonly body: string;
  private readonly format: Formatter | undefined;

  constructor(responseCode: number, body: string, contentType: string, format: Formatter | undefined) {
    this.responseCode = responseCode;
    this.contentType = contentType;
    this.body = body;
    this.format = format;
    Object.freeze(this);
  }
  /** Envoy sends those that answer 201 or 3xx where they already are. */
  newUri(headers: RequestHeaderMap): string {
    return `${headers.scheme}://${headers.host ?? ''}${headers.path}`;
  }
  responseBody(headers: RequestHeaderMap, info: StreamInfo): string {
    if (this.format === undefined) return this.body;
    return this.format.format({
      requestHeaders: headers,
      responseHeaders: undefined,
      responseTrailers: undefined,
      streamInfo: info,
      localReplyBody: this.body,
      accessLogType: 'NotSet',
    });
  }
  rewritePathHeader(): void {}
}

export class RedirectResponse implements DirectResponseEntry {
  readonly responseCode: number;
  readonly contentType: string;
  private readonly redirect: Redirect;
  private readonly pathRewrite: PathRewrite | undefined;

  constructor(redirect: Redirect, pathRewrite: PathRewrite | undefined) {
    this.responseCode = redirect.responseCode;
    this.contentType = TEXT_PLAIN;
    this.redirect = redirect;
    this.pathRewrite = pathRewrite;
    Object.freeze(this);
  }
  newUri(headers: RequestHeaderMap): string {
    return this.redirect.newUri(headers);
  }
  responseBody(): string {
    return '';
  }
  rewritePathHeader(headers: RequestHeaderMap): void {
    if (this.pathRewrite !== undefined) rewritePath(headers, this.pathRewrite, true);
  }
}

class SslRedirectResponse implements DirectResponseEntry {
  readonly responseCode = 301;
  readonly contentType = TEXT_PLAIN;
  newUri(headers: RequestHeaderMap): string {
    return `https://${headers.host ?? ''}${headers.path}`;
  }
  responseBody(): string {
    return '';
  }
  rewritePathHeader(): void {}
}

export const SSL_REDIRECT: DirectResponseEntry = Object.freeze(new SslRedirectResponse());

export function compileDirectResponse(
  config: DirectResponseAction,
  maxBodySize: number,
  context: FactoryContext,
  path: string,
): DirectResponseEntry {
  checkFields('DirectResponseAction', config, path);
  const body = config.body === undefined ? '' : readBody(config.body, maxBodySize, at(path, 'body'));
  const format = config.body_format;
  if (format === undefined) return new DirectResponse(config.status, body, TEXT_PLAIN, undefined);
  const contentType = format.content_type || (format.json_format === undefined ? TEXT_PLAIN : JSON_TYPE);
  const formatter = compileSubstitutionFormatString(format, context, at(path, 'body_format'));
  return new DirectResponse(config.status, body, contentType, formatter);
}

function readBody(source: DataSource, maxSize: number, path: string): string {
  if (source.watched_directory !== undefined) {
    throw new ConfigError(at(path, 'watched_directory'), 'watched_directory is not supported');
  }
  const bytes = bytesOf(source, path);
  if (bytes.length > maxSize) {
    const name = source.filename === undefined ? 'response body' : `response body file ${source.filename}`;
    throw new ConfigError(path, `${name} size is ${bytes.length} bytes; maximum is ${maxSize}`);
  }
  return bytes.toString('latin1');
}

function bytesOf(source: DataSource, path: string): Buffer {
  if (source.inline_string !== undefined) return Buffer.from(source.inline_string, 'utf8');
  if (source.inline_bytes !== undefined) return Buffer.from(source.inline_bytes);
  if (source.environment_variable !== undefined) {
    const value = process.env[source.environment_variable];
    if (value !== undefined) return Buffer.from(value, 'utf8');
    throw new ConfigError(path, `Environment variable doesn't exist: ${source.environment_variable}`);
  }
  const filename = source.filename ?? '';
  try {
    return readFileSync(filename);
  } catch {
    throw new ConfigError(at(path, 'filename'), `unable to read file: ${filename}`);
  }
}
