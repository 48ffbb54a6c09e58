// What is told of a request or connection: the steps it takes, what each decided and why, and what was not chosen. Plain JSON, as
// the JSON interface and the command line show it; the names of fields are theirs.

import type { ExplainNode } from '../../api/router.ts';

export type Outcome =
  | 'forwarded'
  | 'direct_response'
  | 'redirect'
  | 'tcp_forwarded'
  | 'answered'
  | 'rejected'
  | 'no_listener'
  | 'no_filter_chain'
  | 'no_route'
  | 'no_cluster'
  | 'no_host';

export interface Explanation {
  readonly outcome: Outcome;
  /** One sentence. */
  readonly summary: string;
  /** Where the proxy answers by itself. */
  readonly response?: ExplainedResponse;
  readonly request?: DescribedRequest;
  readonly connection: DescribedConnection;
  readonly result: ExplainedResult;
  readonly steps: readonly ExplainStep[];
  readonly clusters: readonly ClusterShare[];
  readonly hosts: readonly HostShare[];
  readonly nearest_miss?: NearestMiss;
}

export interface ExplainedResponse {
  readonly status: number;
  readonly flags: readonly string[];
  readonly details: string;
  readonly body?: string;
  readonly location?: string;
}

export interface DescribedRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface DescribedConnection {
  readonly listener: string;
  readonly source: string;
  readonly destination: string;
  readonly server_name: string;
  readonly tls: boolean;
  readonly alpn: readonly string[];
  readonly protocol: string;
}

/** Names; a field is absent where the way ended before. */
export interface ExplainedResult {
  listener?: string;
  filter_chain?: string;
  route_config?: string;
  virtual_host?: string;
  route?: string;
  route_index?: number;
  /** Of a route in the match tree of its virtual host, in place of the index. */
  route_place?: string;
  cluster?: string;
}

export type StepName =
  | 'listener'
  | 'listener_filters'
  | 'filter_chain'
  | 'network_filters'
  | 'request'
  | 'scope'
  | 'virtual_host'
  | 'route'
  | 'action'
  | 'http_filters'
  | 'cluster'
  | 'hosts';

export interface ExplainStep {
  readonly step: StepName;
  readonly title: string;
  /** False where the way ends. */
  readonly ok: boolean;
  /** What was chosen; '' for nothing. */
  readonly found: string;
  readonly reason: string;
  /** The nearest first. */
  readonly rejected: readonly Rejected[];
  /** How many more there are. */
  readonly rejected_more: number;
  readonly nearest_miss?: NearestMiss;
  /** The reasons of what was chosen. */
  readonly tree?: ExplainNode;
  /** What takes part: filters, settings. */
  readonly items?: readonly StepItem[];
  readonly link?: ResourceLink;
}

export interface Rejected {
  readonly name: string;
  /** The first condition that does not hold. */
  readonly first_failed: { readonly what: string; readonly reason: string };
  /** Edits between what was asked for and what would match; absent where that says nothing. */
  readonly distance?: number;
  readonly conditions: ExplainNode;
}

export interface NearestMiss {
  readonly name: string;
  /** The condition that does not hold. */
  readonly what: string;
  readonly wanted: string;
  readonly got: string;
  readonly distance: number;
  readonly hint: string;
}

export interface StepItem {
  readonly name: string;
  readonly note: string;
  readonly ok: boolean;
}

export interface ResourceLink {
  readonly kind: 'listener' | 'route' | 'cluster' | 'endpoints' | 'secret';
  readonly name: string;
}

export interface ClusterShare {
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
  readonly reason: string;
}

export interface HostShare {
  readonly cluster: string;
  readonly address: string;
  readonly hostname: string;
  readonly priority: number;
  readonly region: string;
  readonly zone: string;
  readonly sub_zone: string;
  readonly weight: number;
  readonly health: 'healthy' | 'degraded' | 'unhealthy';
  readonly health_flags: readonly string[];
  readonly active_requests: number;
  /** Requests that it has had, and the part of all of the cluster's, 0 to 1. */
  readonly requests: number;
  readonly actual_share: number;
  /** Of the requests to this cluster, 0 to 1. */
  readonly share: number;
  readonly reason: string;
  /** A hash, the destination or a session decides for it. */
  readonly chosen: boolean;
}

/** The first leaf that does not hold, in the order in which they are asked. */
export function firstFailed(node: ExplainNode): ExplainNode {
  const child = node.children.find((each) => !each.matched);
  return child === undefined ? node : firstFailed(child);
}

/** How many of the conditions of `node` hold, of how many. */
export function heldConditions(node: ExplainNode): number {
  return node.children.filter((child) => child.matched).length;
}
