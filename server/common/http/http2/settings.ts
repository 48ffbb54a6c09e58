// What configuration says to the HTTP/2 codecs, compiled once per connection manager or cluster.
// Envoy: envoy.config.core.v3.Http2ProtocolOptions, initializeAndValidateOptions in source/common/http/utility.cc.

import type {
  Http2ProtocolOptions,
  KeepaliveSettings,
} from '../../../../xds-protos/generated/envoy/config/core/v3.ts';
import { durationMs, wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import { rejectOtherFields } from '../../config/handled_fields.ts';
import type { HeadersWithUnderscoresAction } from '../http1/settings.ts';
import {
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
} from './frame.ts';

/** What stands outside Http2ProtocolOptions: the connection manager's fields, or a cluster's HttpProtocolOptions. */
export interface Http2Limits {
  /** max_request_headers_kb or max_response_headers_kb (60 by default in both directions of HTTP/2), in KiB. */
  readonly maxHeadersKb: number;
  /** max_headers_count (100). */
  readonly maxHeadersCount: number;
  readonly headersWithUnderscoresAction: HeadersWithUnderscoresAction;
  /** stream_error_on_invalid_http_message of the connection manager; undefined where it is not set. */
  readonly streamErrorOnInvalidHttpMessage: boolean | undefined;
}

/** Sources: HttpConnectionManager.max_request_headers_kb, HttpProtocolOptions.max_headers_count. */
export const DEFAULT_HTTP2_LIMITS: Http2Limits = Object.freeze({
  maxHeadersKb: 60,
  maxHeadersCount: 100,
  headersWithUnderscoresAction: 'ALLOW',
  streamErrorOnInvalidHttpMessage: undefined,
});

/** connection_keepalive. Times in ms; 0 means none. */
export interface Http2Keepalive {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Up to this much of the interval is added to it at random, 0 to 100. */
  readonly jitterPercent: number;
  /** A connection idle for this long sends a PING before its next stream. */
  readonly idleIntervalMs: number;
}

export interface Http2Settings {
  /** Bytes of HPACK table in both directions. */
  readonly hpackTableSize: number;
  readonly maxConcurrentStreams: number;
  /** Bytes. Also bounds what a stream holds back while the peer's window is closed. */
  readonly initialStreamWindowSize: number;
  readonly initialConnectionWindowSize: number;
  /** Extended CONNECT (RFC 8441). */
  readonly allowConnect: boolean;
  readonly huffmanEncoding: boolean;
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  readonly maxConsecutiveInboundFramesWithEmptyPayload: number;
  readonly maxInboundPriorityFramesPerStream: number;
  readonly maxInboundWindowUpdateFramesPerDataFrameSent: number;
  /** A bad message ends its stream, not the connection. */
  readonly streamErrorOnInvalidHttpMessaging: boolean;
  readonly keepalive: Http2Keepalive | undefined;
  /** custom_settings_parameters as `[identifier, value]`. */
  readonly customSettings: readonly (readonly [identifier: number, value: number])[];
  /** Bytes of names and values of a message head, and of trailers. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
  readonly headersWithUnderscoresAction: HeadersWithUnderscoresAction;
}

/** Source: RFC 9113 6.5.2, also what Envoy takes. */
const DEFAULT_HPACK_TABLE_SIZE = 4096;
/** Bigger tables only cost memory of ours: whatever is configured, no more is announced or used. */
const MAX_HPACK_TABLE_SIZE = 65_536;
// Defaults of Envoy 1.40 for what follows (envoy/http/codec.h, class OptionsLimits of Http2::Utility).
const DEFAULT_MAX_CONCURRENT_STREAMS = 1024;
const DEFAULT_STREAM_WINDOW_SIZE = 16 * 1024 * 1024;
const DEFAULT_CONNECTION_WINDOW_SIZE = 24 * 1024 * 1024;
const DEFAULT_MAX_OUTBOUND_FRAMES = 10_000;
const DEFAULT_MAX_OUTBOUND_CONTROL_FRAMES = 1000;
const DEFAULT_MAX_CONSECUTIVE_EMPTY_FRAMES = 1;
const DEFAULT_MAX_PRIORITY_FRAMES_PER_STREAM = 100;
const DEFAULT_MAX_WINDOW_UPDATES_PER_DATA_FRAME = 10;
/** Source: KeepaliveSettings.interval_jitter. */
const DEFAULT_JITTER_PERCENT = 15;

const OPTIONS_FIELDS = new Set([
  'hpack_table_size',
  'max_concurrent_streams',
  'initial_stream_window_size',
  'initial_connection_window_size',
  'allow_connect',
  'max_outbound_frames',
  'max_outbound_control_frames',
  'max_consecutive_inbound_frames_with_empty_payload',
  'max_inbound_priority_frames_per_stream',
  'max_inbound_window_update_frames_per_data_frame_sent',
  'stream_error_on_invalid_http_messaging',
  'override_stream_error_on_invalid_http_message',
  'custom_settings_parameters',
  'connection_keepalive',
  'enable_huffman_encoding',
  // Says which of two libraries does the work in Envoy. Neither does here, and what is done does not depend on it.
  'use_oghttp2_codec',
]);

/**
 * Compiles the options (undefined: all defaults). `path` is where they stand. Throws ConfigError. Ranges of single fields
 * are the proto's validation rules, which have been checked before.
 */
export function compileHttp2Settings(
  config: Http2ProtocolOptions | undefined,
  limits: Http2Limits,
  path: string,
): Http2Settings {
  if (config !== undefined) {
    rejectOtherFields(config, OPTIONS_FIELDS, path);
    checkCustomSettings(config, path);
  }
  const value = (field: NumberField, missing: number): number => wrapperValue(config?.[field]) ?? missing;
  return Object.freeze({
    hpackTableSize: Math.min(value('hpack_table_size', DEFAULT_HPACK_TABLE_SIZE), MAX_HPACK_TABLE_SIZE),
    maxConcurrentStreams: value('max_concurrent_streams', DEFAULT_MAX_CONCURRENT_STREAMS),
    initialStreamWindowSize: value('initial_stream_window_size', DEFAULT_STREAM_WINDOW_SIZE),
    initialConnectionWindowSize: value('initial_connection_window_size', DEFAULT_CONNECTION_WINDOW_SIZE),
    allowConnect: config?.allow_connect === true,
    huffmanEncoding: wrapperValue(config?.enable_huffman_encoding) ?? false,
    maxOutboundFrames: value('max_outbound_frames', DEFAULT_MAX_OUTBOUND_FRAMES),
    maxOutboundControlFrames: value('max_outbound_control_frames', DEFAULT_MAX_OUTBOUND_CONTROL_FRAMES),
    maxConsecutiveInboundFramesWithEmptyPayload: value(
      'max_consecutive_inbound_frames_with_empty_payload',
      DEFAULT_MAX_CONSECUTIVE_EMPTY_FRAMES,
    ),
    maxInboundPriorityFramesPerStream: value(
      'max_inbound_priority_frames_per_stream',
      DEFAULT_MAX_PRIORITY_FRAMES_PER_STREAM,
    ),
    maxInboundWindowUpdateFramesPerDataFrameSent: value(
      'max_inbound_window_update_frames_per_data_frame_sent',
      DEFAULT_MAX_WINDOW_UPDATES_PER_DATA_FRAME,
    ),
    streamErrorOnInvalidHttpMessaging:
      wrapperValue(config?.override_stream_error_on_invalid_http_message) ??
      limits.streamErrorOnInvalidHttpMessage ??
      config?.stream_error_on_invalid_http_messaging === true,
    keepalive: keepalive(config?.connection_keepalive),
    customSettings: customSettings(config),
    maxHeadersBytes: limits.maxHeadersKb * 1024,
    maxHeadersCount: limits.maxHeadersCount,
    headersWithUnderscoresAction: limits.headersWithUnderscoresAction,
  });
}

type NumberField = {
  [Field in keyof Http2ProtocolOptions]-?: NonNullable<Http2ProtocolOptions[Field]> extends { value: number }
    ? Field
    : never;
}[keyof Http2ProtocolOptions];

function keepalive(config: KeepaliveSettings | undefined): Http2Keepalive | undefined {
  if (config === undefined) return undefined;
  return Object.freeze({
    intervalMs: durationMs(config.interval) ?? 0,
    timeoutMs: durationMs(config.timeout) ?? 0,
    jitterPercent: config.interval_jitter?.value ?? DEFAULT_JITTER_PERCENT,
    idleIntervalMs: durationMs(config.connection_idle_interval) ?? 0,
  });
}

function customSettings(config: Http2ProtocolOptions | undefined): Http2Settings['customSettings'] {
  const unique = new Map<number, number>();
  for (const parameter of config?.custom_settings_parameters ?? [])
    unique.set(wrapperValue(parameter.identifier) ?? 0, wrapperValue(parameter.value) ?? 0);
  return Object.freeze([...unique]);
}

/** Named and custom parameters must not contradict one another. */
function checkCustomSettings(config: Http2ProtocolOptions, path: string): void {
  const seen = new Map<number, number>();
  const parameters = config.custom_settings_parameters ?? [];
  parameters.forEach((parameter, i) => {
    const where = at(at(path, 'custom_settings_parameters'), i);
    const identifier = wrapperValue(parameter.identifier) ?? 0;
    const value = wrapperValue(parameter.value) ?? 0;
    if ((seen.get(identifier) ?? value) !== value)
      throw new ConfigError(where, `inconsistent values for the SETTINGS parameter ${identifier}`);
    seen.set(identifier, value);
    if (identifier === SETTINGS_ENABLE_PUSH && value === 1)
      throw new ConfigError(where, 'server push is not supported and cannot be enabled');
    if (identifier === SETTINGS_ENABLE_CONNECT_PROTOCOL)
      throw new ConfigError(where, 'extended CONNECT is configured through allow_connect only');
    const named = NAMED_PARAMETERS.get(identifier);
    if (named !== undefined && config[named] !== undefined)
      throw new ConfigError(where, `the parameter is also set through ${named}`);
  });
}

const NAMED_PARAMETERS: ReadonlyMap<number, keyof Http2ProtocolOptions> = new Map([
  [SETTINGS_HEADER_TABLE_SIZE, 'hpack_table_size'],
  [SETTINGS_MAX_CONCURRENT_STREAMS, 'max_concurrent_streams'],
  [SETTINGS_INITIAL_WINDOW_SIZE, 'initial_stream_window_size'],
] as const);
