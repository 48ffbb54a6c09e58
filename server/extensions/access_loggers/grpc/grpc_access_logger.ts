// Gathers log entries and streams them to an access log service, when there are enough of them or they are old enough. Loggers of
// one configuration share one on each thread. Envoy: source/extensions/access_loggers/common/grpc_access_logger.h.

import type { StreamAccessLogsMessage } from '../../../../xds-protos/generated/envoy/service/accesslog/v3.ts';
import { fromJson, type Json } from '../../../../xds-protos/json.ts';
import { create, encode } from '../../../../xds-protos/load.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { discoveryNode } from '../../../common/discovery_node.ts';
import { monotonicNow } from '../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../common/event/timer.ts';
import { AsyncStream } from '../../../common/grpc/async_stream.ts';
import type { GrpcService } from '../../../common/grpc/grpc_service.ts';
import { GRPC_ACCESS_LOG_STATS } from '../../../common/stats/families/access_logs.ts';
import { VERSION } from '../../../common/version.ts';

const STAT = GRPC_ACCESS_LOG_STATS.offset;
const MESSAGE = 'envoy.service.accesslog.v3.StreamAccessLogsMessage';

export interface GrpcAccessLoggerSettings {
  readonly logName: string;
  readonly service: GrpcService;
  readonly flushIntervalMs: number;
  /** Entries are sent when they have so many bytes; 0: each at once. */
  readonly bufferSizeBytes: number;
}

/** Of an entry, and the field of StreamAccessLogsMessage that it goes to. */
const ENTRY_TYPES = {
  http_logs: 'envoy.data.accesslog.v3.HTTPAccessLogEntry',
  tcp_logs: 'envoy.data.accesslog.v3.TCPAccessLogEntry',
} as const;
export type EntryKind = keyof typeof ENTRY_TYPES;

/** By kind and settings. As many as a process has configurations for them in its life. */
const loggers = new Map<string, GrpcAccessLogger>();

export function grpcAccessLogger(
  kind: EntryKind,
  settings: GrpcAccessLoggerSettings,
  context: FactoryContext,
): GrpcAccessLogger {
  const key = JSON.stringify([kind, settings]);
  let logger = loggers.get(key);
  if (logger === undefined) loggers.set(key, (logger = new GrpcAccessLogger(kind, settings, context)));
  return logger;
}

export class GrpcAccessLogger implements TimerOwner {
  private readonly kind: EntryKind;
  private readonly settings: GrpcAccessLoggerSettings;
  private readonly context: FactoryContext;
  private readonly stats: StatBlock;
  private readonly timer = new Timer(this);
  private stream: AsyncStream | undefined = undefined;
  private entries: object[] = [];
  private bytes = 0;

  constructor(kind: EntryKind, settings: GrpcAccessLoggerSettings, context: FactoryContext) {
    this.kind = kind;
    this.settings = settings;
    this.context = context;
    this.stats = context.stats.block(GRPC_ACCESS_LOG_STATS, 'access_logs.grpc_access_log.');
  }

  log(entry: object): void {
    const { kind, settings, stats } = this;
    if (this.isFull) {
      this.flush();
      if (this.isFull) {
        stats.values[stats.base + STAT.logs_dropped]++;
        return;
      }
    }
    // Envoy counts requests alone.
    if (kind === 'http_logs') stats.values[stats.base + STAT.logs_written]++;
    const message = create(ENTRY_TYPES[kind], entry as never);
    this.entries.push(message);
    this.bytes += encode(ENTRY_TYPES[kind], message).length;
    if (this.bytes >= settings.bufferSizeBytes) this.flush();
    if (this.entries.length > 0 && !this.timer.enabled)
      this.timer.enable(settings.flushIntervalMs, monotonicNow());
  }

  onTimeout(): void {
    this.flush();
    if (this.entries.length > 0) this.timer.enable(this.settings.flushIntervalMs, monotonicNow());
  }

  private get isFull(): boolean {
    const { bufferSizeBytes } = this.settings;
    return bufferSizeBytes > 0 && this.bytes >= bufferSizeBytes;
  }

  /** Entries stay where they are while nobody takes them. */
  private flush(): void {
    const isFirst = this.stream === undefined || this.stream.isOver;
    const stream = isFirst ? AsyncStream.start(this.settings.service, this.context) : this.stream;
    this.stream = stream;
    const { values, base } = this.stats;
    if (stream === undefined || stream.isAboveWriteBufferHighWatermark) {
      values[base + STAT.grpc_entries_flush_failed] += this.entries.length;
      return;
    }
    values[base + STAT.grpc_entries_flushed] += this.entries.length;
    const message = {
      ...(isFirst && { identifier: this.identifier() }),
      [this.kind]: { log_entry: this.entries },
    };
    this.entries = [];
    this.bytes = 0;
    this.timer.disable();
    stream.sendMessage(encode(MESSAGE, create(MESSAGE, message as never)));
  }

  /** Each stream begins with it. */
  private identifier(): Partial<NonNullable<StreamAccessLogsMessage['identifier']>> {
    const { server, registry } = this.context;
    const { region, zone, subZone } = server.locality;
    const node = create('envoy.config.core.v3.Node', {
      id: server.nodeId,
      cluster: server.nodeCluster,
      metadata: fromJson('google.protobuf.Struct', server.nodeMetadata as Json) as never,
      locality: create('envoy.config.core.v3.Locality', { region, zone, sub_zone: subZone }),
    });
    return { node: discoveryNode(node, VERSION, registry.all), log_name: this.settings.logName };
  }
}
