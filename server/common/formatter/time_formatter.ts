// Operators that print times and durations. Envoy: source/common/formatter/stream_info_formatter.cc.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { currentDurationMs } from '../stream_info/stream_info.ts';
import { type Command, type CommandCall, type CommandTable, number } from './command_table.ts';
import { DateFormatter, formatAccessLogTime } from './date_formatter.ts';
import {
  type FormatterProvider,
  NumberFormatterProvider,
  StringFormatterProvider,
} from './formatter_provider.ts';

const LOCAL_FORMAT = '%Y-%m-%dT%H:%M:%E3S%z';

/** A command whose optional argument is a date format. `epochMs` gives wall-clock ms, or undefined for no value. */
export function timeCommand(epochMs: (context: LogContext) => number | undefined, local: boolean): Command {
  return {
    parameters: 'optional',
    lengthAllowed: false,
    compile({ argument, path }: CommandCall): FormatterProvider {
      const format = argument === '' && local ? LOCAL_FORMAT : argument;
      const formatter = format === '' ? undefined : new DateFormatter(format, local, path);
      return new StringFormatterProvider((context) => {
        const time = epochMs(context);
        if (time === undefined) return undefined;
        return formatter === undefined ? formatAccessLogTime(time) : formatter.format(time);
      });
    },
  };
}

/** Milliseconds from the start of the stream to `point`; undefined when it was not reached. */
function sinceStart(point: (info: StreamInfo) => number): Command {
  return number(({ streamInfo }) => {
    const time = point(streamInfo);
    return time === 0 ? undefined : time - streamInfo.startTimeMonotonic;
  });
}

const TIME_POINTS: Readonly<Record<string, (info: StreamInfo) => number>> = {
  DS_RX_BEG: (info) => info.startTimeMonotonic,
  DS_RX_END: (info) => info.downstreamRxComplete,
  US_CX_BEG: (info) => info.upstreamConnectStart,
  US_CX_END: (info) => info.upstreamConnectEnd,
  US_HS_END: (info) => info.upstreamHandshakeEnd,
  US_TX_BEG: (info) => info.firstUpstreamTxByte,
  US_TX_END: (info) => info.lastUpstreamTxByte,
  US_RX_BEG: (info) => info.firstUpstreamRxByte,
  US_RX_END: (info) => info.lastUpstreamRxByte,
  DS_TX_BEG: (info) => info.downstreamTxFirstByte,
  DS_TX_END: (info) => info.downstreamTxLastByte,
};
const PRECISIONS: Readonly<Record<string, number>> = { ms: 1, us: 1_000, ns: 1_000_000 };

function compileCommonDuration({ argument, path }: CommandCall): FormatterProvider {
  const parts = argument.split(':');
  if (parts.length < 2 || parts.length > 3) {
    throw new ConfigError(path, `Invalid common duration configuration: ${argument}.`);
  }
  const scale = PRECISIONS[parts[2] ?? 'ms'];
  if (scale === undefined) throw new ConfigError(path, `Invalid common duration precision: ${parts[2]}.`);
  const [start, end] = [timePoint(parts[0], path), timePoint(parts[1], path)];
  return new NumberFormatterProvider(({ streamInfo }) => {
    const [from, to] = [start(streamInfo), end(streamInfo)];
    return from === 0 || to === 0 || to < from ? undefined : (to - from) * scale;
  });
}

function timePoint(name: string, path: string): (info: StreamInfo) => number {
  const point = TIME_POINTS[name];
  // Envoy takes any other name for a time point that a filter sets; none of our filters sets one.
  if (point === undefined) throw new ConfigError(path, `Unknown time point in COMMON_DURATION: ${name}.`);
  return point;
}

export const TIME_COMMANDS: CommandTable = {
  START_TIME: timeCommand(({ streamInfo }) => streamInfo.startTime, false),
  START_TIME_LOCAL: timeCommand(({ streamInfo }) => streamInfo.startTime, true),
  EMIT_TIME: timeCommand(() => Date.now(), false),
  EMIT_TIME_LOCAL: timeCommand(() => Date.now(), true),
  DURATION: number(({ streamInfo }) => currentDurationMs(streamInfo)),
  REQUEST_DURATION: sinceStart((info) => info.downstreamRxComplete),
  REQUEST_TX_DURATION: sinceStart((info) => info.lastUpstreamTxByte),
  RESPONSE_DURATION: sinceStart((info) => info.firstUpstreamRxByte),
  RESPONSE_TX_DURATION: number(({ streamInfo }) => {
    const { downstreamTxLastByte, firstUpstreamRxByte } = streamInfo;
    if (downstreamTxLastByte === 0 || firstUpstreamRxByte === 0) return undefined;
    return downstreamTxLastByte - firstUpstreamRxByte;
  }),
  DOWNSTREAM_HANDSHAKE_DURATION: number(({ streamInfo: { connection, startTimeMonotonic } }) => {
    const end = connection.ssl?.handshakeCompleteMs;
    // Of a request, whose time begins after the handshake, nothing.
    return end === undefined ? undefined : Math.max(0, end - startTimeMonotonic);
  }),
  // Acknowledgements are known to QUIC only.
  ROUNDTRIP_DURATION: number(() => undefined),
  COMMON_DURATION: { parameters: 'required', lengthAllowed: false, compile: compileCommonDuration },
};
