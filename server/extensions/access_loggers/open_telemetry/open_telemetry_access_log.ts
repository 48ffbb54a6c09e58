// Gathers log records and sends them to the collector, when there are enough of them or they are old enough.
// Envoy: source/extensions/access_loggers/open_telemetry/access_log_impl.cc, grpc_access_log_impl.cc.

import { create, encode } from '../../../../xds-protos/load.ts';
import type { AccessLog, AccessLogFilter, LogContext } from '../../../api/access_log.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { monotonicNow } from '../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../common/event/timer.ts';
import type { Exporter } from '../../../common/opentelemetry/exporter.ts';
import { OPENTELEMETRY_ACCESS_LOG_STATS } from '../../../common/stats/families/access_logs.ts';
import type { FormattedValue } from './formatted_value.ts';

const STAT = OPENTELEMETRY_ACCESS_LOG_STATS.offset;
const REQUEST = 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest';
const RECORD = 'opentelemetry.proto.logs.v1.LogRecord';
/** Digits. Ids of 64 bits are padded. */
const TRACE_ID = 32;

export interface LogSettings {
  readonly resource: readonly object[];
  readonly body: FormattedValue | undefined;
  readonly attributes: (context: LogContext) => object[];
  readonly flushIntervalMs: number;
  /** Records are sent when they have so many bytes; 0: each at once. */
  readonly bufferSizeBytes: number;
}

export class OpenTelemetryAccessLog implements AccessLog, TimerOwner {
  private readonly settings: LogSettings;
  private readonly filter: AccessLogFilter | undefined;
  private readonly exporter: Exporter;
  private readonly stats: StatBlock;
  private readonly timer = new Timer(this);
  private records: object[] = [];
  private bytes = 0;

  constructor(
    settings: LogSettings,
    filter: AccessLogFilter | undefined,
    exporter: Exporter,
    stats: StatBlock,
  ) {
    this.settings = settings;
    this.filter = filter;
    this.exporter = exporter;
    this.stats = stats;
  }

  log(context: LogContext): void {
    if (this.filter !== undefined && !this.filter.evaluate(context)) return;
    const { bufferSizeBytes, flushIntervalMs } = this.settings;
    const record = create(RECORD, this.recordOf(context) as never);
    this.records.push(record);
    this.bytes += encode(RECORD, record).length;
    if (this.bytes >= bufferSizeBytes) this.flush();
    else if (!this.timer.enabled) this.timer.enable(flushIntervalMs, monotonicNow());
  }

  onTimeout(): void {
    this.flush();
  }

  private recordOf(context: LogContext): object {
    const { body, attributes } = this.settings;
    const { startTime, traceId, tracing } = context.streamInfo;
    return {
      time_unix_nano: BigInt(Math.round(startTime * 1000)) * 1000n,
      body: body?.(context),
      attributes: attributes(context),
      trace_id: Buffer.from(traceId === '' ? '' : traceId.padStart(TRACE_ID, '0'), 'hex'),
      span_id: Buffer.from(tracing?.span?.spanId ?? '', 'hex'),
    };
  }

  private flush(): void {
    this.timer.disable();
    const { records } = this;
    this.records = [];
    this.bytes = 0;
    const resource = { attributes: this.settings.resource };
    const message = { resource_logs: [{ resource, scope_logs: [{ log_records: records }] }] };
    // Where there is no cluster to send them to, they are lost.
    const sent = this.exporter.send(encode(REQUEST, create(REQUEST, message as never)));
    const { values, base } = this.stats;
    values[base + (sent ? STAT.logs_written : STAT.logs_dropped)] += records.length;
  }
}
