// What configuration says to the HTTP/1 codecs, compiled once per connection manager or cluster.
// Envoy: envoy.config.core.v3.Http1ProtocolOptions, source/common/http/http1/settings.cc.

import { at, ConfigError } from '../../../api/config_error.ts';
import type { HeaderKeyFormatter } from '../../../api/http/header_map.ts';
import {
  compileStringMatcher,
  type StringMatcher,
  type StringMatcherConfig,
} from '../../matcher/string_matcher.ts';
import { PreserveCaseFormatter, ProperCaseFormatter } from './header_formatter.ts';

/** envoy.config.core.v3.HttpProtocolOptions.HeadersWithUnderscoresAction */
export type HeadersWithUnderscoresAction = 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER';

/** What stands outside Http1ProtocolOptions: the connection manager's fields, or a cluster's HttpProtocolOptions. */
export interface Http1Limits {
  /** max_request_headers_kb (60) or max_response_headers_kb (80), in KiB. */
  readonly maxHeadersKb: number;
  /** max_headers_count (100). */
  readonly maxHeadersCount: number;
  readonly headersWithUnderscoresAction: HeadersWithUnderscoresAction;
  /** stream_error_on_invalid_http_message of the connection manager. */
  readonly streamErrorOnInvalidHttpMessage: boolean;
}

/** Envoy's defaults for requests (HttpConnectionManager.max_request_headers_kb, HttpProtocolOptions.max_headers_count). */
export const DEFAULT_REQUEST_LIMITS: Http1Limits = Object.freeze({
  maxHeadersKb: 60,
  maxHeadersCount: 100,
  headersWithUnderscoresAction: 'ALLOW',
  streamErrorOnInvalidHttpMessage: false,
});

/** Envoy's defaults for responses (MAX_RESPONSE_HEADERS_KB of its HTTP/1 codec). */
export const DEFAULT_RESPONSE_LIMITS: Http1Limits = Object.freeze({
  ...DEFAULT_REQUEST_LIMITS,
  maxHeadersKb: 80,
});

export interface Http1Settings {
  readonly acceptHttp10: boolean;
  /** Host of HTTP/1.0 requests without one; `''` for none. */
  readonly defaultHostForHttp10: string;
  /** Spells names for messages that carry no formatter of their own. */
  readonly headerKeyFormatter: HeaderKeyFormatter | undefined;
  readonly preserveCase: PreserveCaseSettings | undefined;
  readonly enableTrailers: boolean;
  readonly allowChunkedLength: boolean;
  readonly allowAbsoluteUrl: boolean;
  readonly allowCustomMethods: boolean;
  readonly sendFullyQualifiedUrl: boolean;
  readonly ignoreUpgrade: readonly StringMatcher[];
  /** For the connection manager: a bad message ends its stream, not the connection. */
  readonly streamErrorOnInvalidHttpMessage: boolean;
  /** Bytes of a message head, and of a trailer block. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
  readonly headersWithUnderscoresAction: HeadersWithUnderscoresAction;
}

export interface PreserveCaseSettings {
  readonly forwardReasonPhrase: boolean;
  /** Spells names that were not received. */
  readonly unknownNames: HeaderKeyFormatter | undefined;
}

/** The decoded message, as far as it is read. `ignore_http_11_upgrade` is of Envoy 1.34. */
export interface Http1ProtocolOptionsConfig {
  readonly allow_absolute_url?: { readonly value: boolean } | undefined;
  readonly accept_http_10?: boolean;
  readonly default_host_for_http_10?: string;
  readonly header_key_format?: HeaderKeyFormatConfig | undefined;
  readonly enable_trailers?: boolean;
  readonly allow_chunked_length?: boolean;
  readonly override_stream_error_on_invalid_http_message?: { readonly value: boolean } | undefined;
  readonly send_fully_qualified_url?: boolean;
  /** False asks for the parser that Envoy has since removed. */
  readonly use_balsa_parser?: { readonly value: boolean } | undefined;
  readonly allow_custom_methods?: boolean;
  readonly ignore_http_11_upgrade?: readonly StringMatcherConfig[];
}

interface HeaderKeyFormatConfig {
  readonly proper_case_words?: object | null | undefined;
  readonly stateful_formatter?: StatefulFormatterConfig | null | undefined;
}

/** A TypedExtensionConfig whose `typed_config` is packed. */
export interface StatefulFormatterConfig {
  readonly name?: string;
  readonly typed_config?: { readonly type_url: string; readonly value: Uint8Array } | null | undefined;
}

/** Resolves `header_key_format.stateful_formatter` (category envoy.http.stateful_header_formatters). Throws ConfigError. */
export type ResolveStatefulFormatter = (
  config: StatefulFormatterConfig,
  path: string,
) => PreserveCaseSettings;

/** envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig, decoded. */
export interface PreserveCaseConfig {
  readonly forward_reason_phrase?: boolean;
  /** 0 DEFAULT: as it is; 1 PROPER_CASE. */
  readonly formatter_type_on_envoy_headers?: number | string;
}

export function compilePreserveCase(config: PreserveCaseConfig): PreserveCaseSettings {
  const type = config.formatter_type_on_envoy_headers;
  return Object.freeze({
    forwardReasonPhrase: config.forward_reason_phrase === true,
    unknownNames: type === 1 || type === 'PROPER_CASE' ? new ProperCaseFormatter() : undefined,
  });
}

/**
 * Compiles the options (undefined: all defaults). `path` is where they stand. Throws ConfigError.
 * `resolveStatefulFormatter` is needed where a stateful formatter may be configured: it looks into the registry.
 */
export function compileHttp1Settings(
  config: Http1ProtocolOptionsConfig | undefined,
  limits: Http1Limits,
  path: string,
  resolveStatefulFormatter?: ResolveStatefulFormatter,
): Http1Settings {
  const options = config ?? {};
  if (options.use_balsa_parser?.value === false) {
    throw new ConfigError(at(path, 'use_balsa_parser'), 'the legacy http-parser does not exist any more');
  }
  const format = options.header_key_format;
  const stateful = format?.stateful_formatter;
  if (stateful && resolveStatefulFormatter === undefined) {
    throw new ConfigError(
      at(path, 'header_key_format.stateful_formatter'),
      'stateful formatters are not supported here',
    );
  }
  const upgrades = options.ignore_http_11_upgrade ?? [];
  return Object.freeze({
    acceptHttp10: options.accept_http_10 === true,
    defaultHostForHttp10: options.default_host_for_http_10 ?? '',
    headerKeyFormatter: format?.proper_case_words ? new ProperCaseFormatter() : undefined,
    preserveCase:
      stateful && resolveStatefulFormatter
        ? resolveStatefulFormatter(stateful, at(path, 'header_key_format.stateful_formatter'))
        : undefined,
    enableTrailers: options.enable_trailers === true,
    allowChunkedLength: options.allow_chunked_length === true,
    allowAbsoluteUrl: options.allow_absolute_url?.value !== false,
    allowCustomMethods: options.allow_custom_methods === true,
    sendFullyQualifiedUrl: options.send_fully_qualified_url === true,
    ignoreUpgrade: Object.freeze(
      upgrades.map((matcher, i) => compileStringMatcher(matcher, at(at(path, 'ignore_http_11_upgrade'), i))),
    ),
    streamErrorOnInvalidHttpMessage:
      options.override_stream_error_on_invalid_http_message?.value ?? limits.streamErrorOnInvalidHttpMessage,
    maxHeadersBytes: limits.maxHeadersKb * 1024,
    maxHeadersCount: limits.maxHeadersCount,
    headersWithUnderscoresAction: limits.headersWithUnderscoresAction,
  });
}

/** The formatter for one message that is being read; undefined unless names keep their case. */
export function newMessageFormatter(settings: Http1Settings): PreserveCaseFormatter | undefined {
  const preserveCase = settings.preserveCase;
  return preserveCase === undefined ? undefined : new PreserveCaseFormatter(preserveCase.unknownNames);
}
