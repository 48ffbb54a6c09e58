// What the proxy answers when it explains where a request goes, as /api/openapi.json describes it.

import type { NearestMiss } from './types.ts';

export interface ExplainLink {
  readonly kind: string;
  readonly name: string;
}

/** What a matcher says: whether it matches, why, and what it is made of. */
export interface ExplainNode {
  readonly what: string;
  readonly matched: boolean;
  readonly reason: string;
  readonly children: readonly ExplainNode[];
}

export interface ExplainRejected {
  readonly name: string;
  readonly first_failed?: { readonly what: string; readonly reason: string };
  readonly conditions?: ExplainNode;
}

export interface ExplainStep {
  readonly step: string;
  readonly title: string;
  readonly ok: boolean;
  /** '' where nothing was found. */
  readonly found: string;
  readonly reason: string;
  readonly rejected?: readonly ExplainRejected[];
  /** Rejected ones that are left out. */
  readonly rejected_more?: number;
  readonly tree?: ExplainNode;
  readonly nearest_miss?: NearestMiss;
  readonly items?: readonly { readonly name: string; readonly note: string; readonly ok: boolean }[];
  readonly link?: ExplainLink;
}

export interface ExplainedHost {
  readonly address: string;
  readonly hostname: string;
  readonly priority: number;
  readonly zone: string;
  readonly weight: number;
  readonly health: 'healthy' | 'degraded' | 'unhealthy';
  readonly health_flags: readonly string[];
  readonly active_requests: number;
  /** Of the requests, 0 to 1. */
  readonly share: number;
  readonly reason: string;
  readonly chosen?: boolean;
}

export interface Explanation {
  readonly outcome: string;
  readonly summary: string;
  readonly response?: {
    readonly status: number;
    readonly flags: readonly string[];
    readonly details: string;
  };
  readonly steps: readonly ExplainStep[];
  readonly clusters: readonly { readonly name: string; readonly share: number; readonly reason: string }[];
  readonly hosts: readonly ExplainedHost[];
  readonly nearest_miss?: NearestMiss;
}
