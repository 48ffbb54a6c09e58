// Stats of the MongoDB filter: `mongo.<stat_prefix>.*`, of which those per command, collection and call site get their
// names from the traffic. https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/mongo_proxy_filter

import type { Counter, Histogram, StatBlock, StatStore } from '../../../../api/stats.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import type { QueryInfo } from './query_info.ts';

export const MONGO_STATS = statSchema('mongo', {
  cx_destroy_local_with_active_rq: 'counter',
  cx_destroy_remote_with_active_rq: 'counter',
  cx_drain_close: 'counter',
  decoding_error: 'counter',
  delays_injected: 'counter',
  op_command: 'counter',
  op_command_reply: 'counter',
  op_get_more: 'counter',
  op_insert: 'counter',
  op_kill_cursors: 'counter',
  op_query: 'counter',
  op_query_active: 'gauge',
  op_query_await_data: 'counter',
  op_query_exhaust: 'counter',
  op_query_multi_get: 'counter',
  op_query_no_cursor_timeout: 'counter',
  op_query_no_max_time: 'counter',
  op_query_scatter_get: 'counter',
  op_query_tailable_cursor: 'counter',
  op_reply: 'counter',
  op_reply_cursor_not_found: 'counter',
  op_reply_query_failure: 'counter',
  op_reply_valid_cursor: 'counter',
});
type MongoStat = keyof typeof MONGO_STATS.offset;

/** Names from the traffic that are kept at most; what comes later is counted in the totals only. */
const MAX_NAMES = 1_000;

export class MongoStats {
  readonly #store: StatStore;
  readonly #prefix: string;
  readonly #commands: ReadonlySet<string>;
  readonly #block: StatBlock;
  readonly #counters = new Map<string, Counter>();
  readonly #histograms = new Map<string, Histogram>();

  /** `prefix` is `mongo.<stat_prefix>.`; `commands` get stats of their own. */
  constructor(store: StatStore, prefix: string, commands: ReadonlySet<string>) {
    this.#store = store;
    this.#prefix = prefix;
    this.#commands = commands;
    this.#block = store.block(MONGO_STATS, prefix);
  }

  count(stat: MongoStat): void {
    this.#block.values[this.#block.base + MONGO_STATS.offset[stat]]++;
  }

  /** Queries more or less that wait for their reply. */
  active(change: number): void {
    this.#block.values[this.#block.base + MONGO_STATS.offset.op_query_active] += change;
  }

  query(info: QueryInfo): void {
    if (info.command !== '') {
      this.#add(`cmd.${this.#command(info)}.total`);
      return;
    }
    for (const scope of scopesOf(info)) {
      this.#add(`${scope}query.total`);
      if (info.type !== 'primary_key') this.#add(`${scope}query.${info.type}`);
    }
    if (info.maxTimeMs < 1) this.count('op_query_no_max_time');
    if (info.type === 'scatter_get') this.count('op_query_scatter_get');
    if (info.type === 'multi_get') this.count('op_query_multi_get');
  }

  reply(
    info: QueryInfo,
    reply: { readonly documentCount: number; readonly documentBytes: number },
    ms: number,
  ): void {
    const scopes =
      info.command === '' ? scopesOf(info).map((scope) => `${scope}query.`) : [`cmd.${this.#command(info)}.`];
    for (const scope of scopes) {
      this.#record(`${scope}reply_num_docs`, 'none', reply.documentCount);
      this.#record(`${scope}reply_size`, 'bytes', reply.documentBytes);
      this.#record(`${scope}reply_time_ms`, 'ms', ms);
    }
  }

  #command({ command }: QueryInfo): string {
    return this.#commands.has(command) ? command : 'unknown_command';
  }

  #add(name: string): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      if (this.#counters.size >= MAX_NAMES) return;
      counter = this.#store.counter(this.#prefix + name);
      this.#counters.set(name, counter);
    }
    counter.add(1);
  }

  #record(name: string, unit: 'none' | 'bytes' | 'ms', value: number): void {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      if (this.#histograms.size >= MAX_NAMES) return;
      histogram = this.#store.histogram(this.#prefix + name, unit);
      this.#histograms.set(name, histogram);
    }
    histogram.record(value);
  }
}

function scopesOf({ collection, callsite }: QueryInfo): string[] {
  const scope = `collection.${collection}.`;
  return callsite === '' ? [scope] : [scope, `${scope}callsite.${callsite}.`];
}
