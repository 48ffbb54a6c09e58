// The `server.` stats that are facts of the moment: brought up to date when somebody reads.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

import type { ServerInfo_State } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { Gauge, StatBlock } from '../../api/stats.ts';
import { crypto } from '../../common/builtins.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { COMPILATION_SETTINGS_STATS, SERVER_STATS } from '../../common/stats/families/server.ts';
import type { ThreadStatStore } from '../../common/stats/store.ts';

/** The numbers of envoy.admin.v3.ServerInfo.State. */
const STATES: Readonly<Record<string, number>> = {
  LIVE: 0,
  DRAINING: 1,
  PRE_INITIALIZING: 2,
  INITIALIZING: 3,
};
/** What Envoy shows while there is no certificate. */
const NO_CERTIFICATE_DAYS = 2 ** 32 - 1;

export interface ServerFacts {
  readonly concurrency: number;
  readonly hotRestartEpoch: number;
  /** Fields of the bootstrap that nobody here knows. */
  readonly staticUnknownFields: number;
  /** As `Date.now()`. */
  readonly startedAt: number;
  state(): ServerInfo_State;
  /** False after /healthcheck/fail. */
  live(): boolean;
  /** Undefined when no certificate is in use. */
  daysUntilFirstCertExpiring(): number | undefined;
  /** 0 when no OCSP response is stapled. */
  secondsUntilFirstOcspResponseExpiring(): number;
  /** Seconds since the epoch, by the name of the gauge. */
  certificateExpirations(): ReadonlyMap<string, number>;
  /** Open downstream connections, of the hot restart parent too. */
  totalConnections(): number;
  parentConnections(): number;
}

export class ServerStats {
  readonly #block: StatBlock<keyof typeof SERVER_STATS.offset>;
  readonly #facts: ServerFacts;
  readonly #aggregator: StatAggregator;
  readonly #store: ThreadStatStore;
  readonly #expirations = new Map<string, Gauge>();

  constructor(store: ThreadStatStore, aggregator: StatAggregator, facts: ServerFacts) {
    this.#facts = facts;
    this.#aggregator = aggregator;
    this.#store = store;
    this.#block = store.block(SERVER_STATS, 'server.');
    this.#set('concurrency', facts.concurrency);
    this.#set('hot_restart_epoch', facts.hotRestartEpoch);
    this.#set('static_unknown_fields', facts.staticUnknownFields);
    // Nothing was found so far, which is something to show.
    this.#set('wip_protos', 0);
    this.#set('dynamic_unknown_fields', 0);
    const compilation = store.block(COMPILATION_SETTINGS_STATS, 'server.compilation_settings.');
    compilation.values[compilation.base + COMPILATION_SETTINGS_STATS.offset.fips_mode] = crypto.getFips();
    aggregator.beforeRead(() => this.#refresh());
  }

  /** The server takes traffic; `ms` since its start. */
  initialized(ms: number): void {
    this.#block.record(SERVER_STATS.offset.initialization_time_ms, ms);
  }

  #refresh(): undefined {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    this.#set('state', STATES[this.#facts.state()] ?? 0);
    this.#set('live', this.#facts.live() ? 1 : 0);
    this.#set('uptime', Math.floor((Date.now() - this.#facts.startedAt) / 1000));
    this.#set('memory_allocated', heapUsed + external);
    this.#set('memory_heap_size', heapTotal + external);
    this.#set('memory_physical_size', rss);
    this.#set(
      'days_until_first_cert_expiring',
      this.#facts.daysUntilFirstCertExpiring() ?? NO_CERTIFICATE_DAYS,
    );
    this.#set(
      'seconds_until_first_ocsp_response_expiring',
      this.#facts.secondsUntilFirstOcspResponseExpiring(),
    );
    this.#refreshExpirations();
    this.#set('stats_recent_lookups', this.#aggregator.lookups.total);
    this.#set('total_connections', this.#facts.totalConnections());
    this.#set('parent_connections', this.#facts.parentConnections());
  }

  /** `<listener or cluster>.ssl.certificate.<name>.expiration_unix_time_seconds` */
  #refreshExpirations(): void {
    const expirations = this.#facts.certificateExpirations();
    for (const [name, seconds] of expirations) {
      let gauge = this.#expirations.get(name);
      if (gauge === undefined) this.#expirations.set(name, (gauge = this.#store.gauge(name)));
      gauge.set(seconds);
    }
    for (const [name, gauge] of this.#expirations) {
      if (expirations.has(name)) continue;
      this.#store.release(gauge);
      this.#expirations.delete(name);
    }
    // What was made just now is to be read at once.
    this.#store.flush();
  }

  #set(name: keyof typeof SERVER_STATS.offset, value: number): void {
    this.#block.values[this.#block.base + SERVER_STATS.offset[name]] = value;
  }
}
