// The hosts that a request itself names, one for each attempt; when there are no more, another policy chooses.
// Envoy: source/extensions/load_balancing_policies/override_host/load_balancer.cc.

import type { StreamInfo } from '../../api/stream_info.ts';
import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { setDynamicMetadata } from '../stream_info/stream_info.ts';
import type { Host } from '../upstream/host.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import type { MetadataPath, OverrideHostConfig } from './load_balancer_config.ts';

/** Addresses that a request named and that no attempt has used. Not of one balancer: hosts may change between attempts. */
const NAMED = new WeakMap<StreamInfo, string[]>();

export class OverrideHostLoadBalancer implements LoadBalancer {
  private readonly prioritySet: PrioritySet;
  private readonly config: OverrideHostConfig;
  private readonly fallback: LoadBalancer;

  constructor(prioritySet: PrioritySet, config: OverrideHostConfig, fallback: LoadBalancer) {
    this.prioritySet = prioritySet;
    this.config = config;
    this.fallback = fallback;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const info = context?.requestStreamInfo;
    if (context === undefined || info === undefined)
      return this.fallback.chooseHost(context) as Host | undefined;
    let named = NAMED.get(info);
    if (named === undefined) NAMED.set(info, (named = this.namedHosts(context, info)));
    const host = this.nextOf(named) ?? (this.fallback.chooseHost(context) as Host | undefined);
    const { selectedHostKey } = this.config;
    if (selectedHostKey !== undefined && host !== undefined) tell(info, selectedHostKey, host.address.text);
    return host;
  }

  private namedHosts({ downstreamHeaders }: LoadBalancerContext, info: StreamInfo): string[] {
    const named: string[] = [];
    for (const { header, metadata } of this.config.sources) {
      const value = metadata === undefined ? downstreamHeaders?.get(header) : metadataValue(info, metadata);
      if (typeof value !== 'string') continue;
      for (const address of value.split(',')) if (address.trim() !== '') named.push(address.trim());
    }
    return named;
  }

  /** Whatever its health is. */
  private nextOf(named: string[]): Host | undefined {
    while (named.length > 0) {
      const host = this.prioritySet.hostAt(named.shift()!);
      if (host !== undefined) return host;
    }
    return undefined;
  }
}

function metadataValue(info: StreamInfo, { namespace, path }: MetadataPath): unknown {
  let value: unknown = info.dynamicMetadata?.get(namespace);
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function tell(info: StreamInfo, { namespace, path }: MetadataPath, address: string): void {
  let value: unknown = address;
  for (let i = path.length - 1; i >= 0; i--) value = { [path[i]]: value };
  setDynamicMetadata(info, namespace, value as Record<string, unknown>);
}
