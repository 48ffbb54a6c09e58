// Lets a request through, or answers it with 403, by role-based access control.
// Envoy: source/extensions/filters/http/rbac/rbac_filter.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type HttpFilterConfig,
  type HttpFilterExplanation,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { Counter, StatBlock, StatStore } from '../../../../api/stats.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import {
  deniedDetails,
  describeResult,
  type RbacEngine,
  type RbacResult,
} from '../../../../common/rbac/engine.ts';
import type { RbacSubject } from '../../../../common/rbac/matchers.ts';
import {
  countShadowVerdict,
  countVerdict,
  noteAccessLogHint,
  type VerdictMetadata,
} from '../../../../common/rbac/verdicts.ts';

const FORBIDDEN = 403;
const DENIED = 'RBAC: access denied';

/** Of the filter, or of a route. */
export interface RbacRules {
  /** Undefined: everything passes. */
  readonly rules: RbacEngine | undefined;
  /** Undefined in a route that names no prefix of its own: the filter's. */
  readonly metadata: VerdictMetadata | undefined;
  /** Judged and counted, never enforced. */
  readonly shadowRules: RbacEngine | undefined;
  readonly shadowMetadata: VerdictMetadata | undefined;
  /** Counts each policy. */
  readonly trackPerRule: boolean;
}

/** Of the filter, whichever rules apply. */
export interface RbacStats {
  readonly enforced: StatBlock;
  readonly shadow: StatBlock;
  readonly policies: PolicyCounters;
  readonly shadowPolicies: PolicyCounters;
}

/** A counter of each policy and verdict that came up. */
export class PolicyCounters {
  readonly #stats: StatStore;
  readonly #prefix: string;
  readonly #kind: '' | 'shadow_';
  readonly #counters = new Map<RbacResult, Counter>();

  constructor(stats: StatStore, prefix: string, kind: '' | 'shadow_') {
    this.#stats = stats;
    this.#prefix = prefix;
    this.#kind = kind;
  }

  count(result: RbacResult): void {
    if (result.policyId === undefined) return;
    let counter = this.#counters.get(result);
    if (counter === undefined) {
      const verdict = `${this.#kind}${result.allowed ? 'allowed' : 'denied'}`;
      counter = this.#stats.counter(`${this.#prefix}${result.policyId}.${verdict}`);
      this.#counters.set(result, counter);
    }
    counter.add(1);
  }
}

class RbacFilter implements HttpFilter {
  readonly #own: RbacRules;
  readonly #stats: RbacStats;
  #callbacks!: StreamDecoderFilterCallbacks;

  constructor(rules: RbacRules, stats: RbacStats) {
    this.#own = rules;
    this.#stats = stats;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    const { streamInfo } = this.#callbacks;
    const rules = this.#callbacks.perFilterConfig<RbacRules>() ?? this.#own;
    const subject: RbacSubject = { connection: streamInfo.connection, streamInfo, headers };
    this.#shadow(subject, rules);
    const result = rules.rules?.evaluate(subject);
    if (result === undefined) return FilterHeadersStatus.Continue;
    (rules.metadata ?? this.#own.metadata)?.note(subject, result);
    noteAccessLogHint(subject, result);
    countVerdict(this.#stats.enforced, result);
    if (rules.trackPerRule) this.#stats.policies.count(result);
    if (result.allowed) return FilterHeadersStatus.Continue;
    this.#callbacks.sendLocalReply(FORBIDDEN, DENIED, deniedDetails(result));
    return FilterHeadersStatus.StopIteration;
  }

  #shadow(subject: RbacSubject, { shadowRules, shadowMetadata, trackPerRule }: RbacRules): void {
    if (shadowRules === undefined) return;
    const result = shadowRules.evaluate(subject);
    (shadowMetadata ?? this.#own.shadowMetadata)?.note(subject, result);
    countShadowVerdict(this.#stats.shadow, result);
    if (trackPerRule) this.#stats.shadowPolicies.count(result);
  }
}

export class RbacFilterConfig implements HttpFilterConfig {
  readonly isTerminal = false;
  readonly #rules: RbacRules;
  readonly #stats: RbacStats;

  constructor(rules: RbacRules, stats: RbacStats) {
    this.#rules = rules;
    this.#stats = stats;
  }

  createFilter(): HttpFilter {
    return new RbacFilter(this.#rules, this.#stats);
  }

  explain(headers: RequestHeaderMap, streamInfo: StreamInfo, ofRoute: unknown): HttpFilterExplanation {
    const { rules } = (ofRoute as RbacRules | undefined) ?? this.#rules;
    if (rules === undefined)
      return { note: 'has no rules: everything passes', tree: undefined, answer: undefined };
    const subject = { connection: streamInfo.connection, streamInfo, headers };
    const result = rules.evaluate(subject);
    const verdict = result.allowed ? 'it may pass' : 'it is denied';
    const answer = result.allowed ? undefined : { status: FORBIDDEN, details: deniedDetails(result) };
    return { note: `${describeResult(rules, result)}: ${verdict}`, tree: rules.explain(subject), answer };
  }
}
