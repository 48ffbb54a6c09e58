// Operators about the stream: codes, flags, bytes, names, hosts, the process. Envoy: source/common/formatter/stream_info_formatter.cc.

import { hostname } from 'node:os';
import type { StreamInfo } from '../../api/stream_info.ts';
import { crypto } from '../builtins.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { responseFlagsToShortString, responseFlagsToString } from '../stream_info/response_flags.ts';
import { hostNameOf, stripPort } from './address_formatter.ts';
import { type CommandCall, type CommandTable, nonEmpty, number, text } from './command_table.ts';
import { type FormatterProvider, PlainString, StringFormatterProvider } from './formatter_provider.ts';

/** Log readers split at spaces, so details get underscores, as in Envoy. */
function withoutSpaces(value: string): string {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) return value.replace(/\s/g, '_');
  }
  return value;
}

function compileEnvironment({ argument, maxLength }: CommandCall): FormatterProvider {
  const value = process.env[argument];
  return new PlainString(value === undefined ? '-' : latin1Of(value).slice(0, maxLength));
}

function compileResponseCodeDetails({ argument }: CommandCall): FormatterProvider {
  if (argument === 'ALLOW_WHITESPACES') {
    return new StringFormatterProvider(({ streamInfo }) => nonEmpty(streamInfo.responseCodeDetails));
  }
  return new StringFormatterProvider(({ streamInfo }) =>
    nonEmpty(withoutSpaces(streamInfo.responseCodeDetails)),
  );
}

/** Envoy tells of connections without HTTP alone, and not of those that this side has reset. */
function upstreamCloseType({ upstreamHost, upstreamConnection, protocol }: StreamInfo): string | undefined {
  if (upstreamHost === undefined) return undefined;
  const reset = protocol === '' && upstreamConnection?.detectedCloseType === 'RemoteReset';
  return reset ? 'RemoteReset' : 'Normal';
}

export const STREAM_INFO_COMMANDS: CommandTable = {
  BYTES_RECEIVED: number(({ streamInfo }) => streamInfo.bytesReceived),
  BYTES_SENT: number(({ streamInfo }) => streamInfo.bytesSent),
  // Retransmission is known to QUIC only.
  BYTES_RETRANSMITTED: number(() => 0),
  PACKETS_RETRANSMITTED: number(() => 0),
  UPSTREAM_WIRE_BYTES_RECEIVED: number(({ streamInfo }) => streamInfo.upstreamWireBytesReceived),
  UPSTREAM_WIRE_BYTES_SENT: number(({ streamInfo }) => streamInfo.upstreamWireBytesSent),
  DOWNSTREAM_WIRE_BYTES_RECEIVED: number(({ streamInfo }) => streamInfo.downstreamWireBytesReceived),
  DOWNSTREAM_WIRE_BYTES_SENT: number(({ streamInfo }) => streamInfo.downstreamWireBytesSent),
  PROTOCOL: text(({ streamInfo }) => nonEmpty(streamInfo.protocol)),
  UPSTREAM_PROTOCOL: text(({ streamInfo }) => nonEmpty(streamInfo.upstreamProtocol)),
  RESPONSE_CODE: number(({ streamInfo }) => streamInfo.responseCode),
  RESPONSE_CODE_DETAILS: {
    parameters: 'optional',
    lengthAllowed: false,
    compile: compileResponseCodeDetails,
  },
  RESPONSE_FLAGS: text(({ streamInfo }) =>
    responseFlagsToShortString(streamInfo.responseFlags, streamInfo.protocol === ''),
  ),
  RESPONSE_FLAGS_LONG: text(({ streamInfo }) =>
    responseFlagsToString(streamInfo.responseFlags, streamInfo.protocol === ''),
  ),
  CONNECTION_TERMINATION_DETAILS: text(({ streamInfo }) => nonEmpty(streamInfo.connectionTerminationDetails)),
  DOWNSTREAM_DETECTED_CLOSE_TYPE: text(({ streamInfo }) => streamInfo.connection.detectedCloseType),
  DOWNSTREAM_LOCAL_CLOSE_REASON: text(({ streamInfo }) => nonEmpty(streamInfo.connection.localCloseReason)),
  CONNECTION_ID: number(({ streamInfo }) => streamInfo.connection.id),
  FILTER_CHAIN_NAME: text(({ streamInfo }) => nonEmpty(streamInfo.connection.filterChainName)),
  LISTENER_NAME: text(({ streamInfo }) => nonEmpty(streamInfo.connection.listenerName)),
  ROUTE_NAME: text(({ streamInfo }) => nonEmpty(streamInfo.routeName)),
  VIRTUAL_CLUSTER_NAME: text(({ streamInfo }) => nonEmpty(streamInfo.virtualClusterName)),
  UPSTREAM_CLUSTER: text(({ streamInfo }) =>
    nonEmpty(streamInfo.upstreamCluster?.statName ?? streamInfo.upstreamClusterName),
  ),
  UPSTREAM_CLUSTER_RAW: text(({ streamInfo }) => nonEmpty(streamInfo.upstreamClusterName)),
  UPSTREAM_HOST_NAME: text(({ streamInfo: { upstreamHost } }) => hostNameOf(upstreamHost)),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: text(
    ({ streamInfo: { upstreamHost } }) => upstreamHost && stripPort(hostNameOf(upstreamHost)!),
  ),
  UPSTREAM_CONNECTION_ID: number(({ streamInfo }) => streamInfo.upstreamConnection?.id ?? 0),
  UPSTREAM_DETECTED_CLOSE_TYPE: text(({ streamInfo }) => upstreamCloseType(streamInfo)),
  UPSTREAM_LOCAL_CLOSE_REASON: text(({ streamInfo }) =>
    nonEmpty(streamInfo.upstreamConnection?.localCloseReason ?? ''),
  ),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: number(({ streamInfo }) => streamInfo.upstreamRequestAttemptCount),
  UPSTREAM_TRANSPORT_FAILURE_REASON: text(({ streamInfo }) =>
    nonEmpty(withoutSpaces(streamInfo.upstreamTransportFailureReason)),
  ),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: text(({ streamInfo }) =>
    nonEmpty(withoutSpaces(streamInfo.connection.downstreamTransportFailureReason)),
  ),
  STREAM_ID: text(({ streamInfo }) => nonEmpty(streamInfo.requestId)),
  // None of our filters sets one.
  CUSTOM_FLAGS: text(() => ''),
  SPAN_ID: text(({ streamInfo }) => nonEmpty(streamInfo.tracing?.span?.spanId ?? '')),
  TRACE_ID: text(({ streamInfo }) => nonEmpty(streamInfo.traceId)),
  UNIQUE_ID: text(() => crypto.randomUUID()),
  HOSTNAME: {
    parameters: 'none',
    lengthAllowed: false,
    compile: () => new PlainString(latin1Of(hostname())),
  },
  ENVIRONMENT: { parameters: 'required', lengthAllowed: true, compile: compileEnvironment },
};
