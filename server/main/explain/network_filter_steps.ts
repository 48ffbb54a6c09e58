// The network filters of a chain before its last one, as far as they decide where a connection goes: access control, and the cluster
// that the server name chooses. Others are listed.

import type { Filter } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { RBAC } from '../../../xds-protos/generated/envoy/extensions/filters/network/rbac/v3.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ExplainNode } from '../../api/router.ts';
import { deniedDetails, describeResult } from '../../common/rbac/engine.ts';
import { compileRbacEngine } from '../../common/rbac/verdicts.ts';
import { StringAccessor } from '../../common/stream_info/filter_state.ts';
import type { ConnectionInfoRecord } from '../../common/stream_info/stream_info.ts';
import type { ExplainStep, StepItem } from './explanation.ts';
import { ended, passed } from './steps.ts';

const RBAC_TYPE = 'envoy.extensions.filters.network.rbac.v3.RBAC';
const SNI_CLUSTER_TYPE = 'envoy.extensions.filters.network.sni_cluster.v3.SniCluster';
/** Filter state that chooses the cluster of the TCP proxy. Envoy: TcpProxy::PerConnectionCluster::key(). */
export const TCP_CLUSTER_KEY = 'envoy.tcp_proxy.cluster';

export interface NetworkFiltersOutcome {
  readonly step: ExplainStep;
  /** Response code details of a connection that is closed; '' for one that goes on. */
  readonly denied: string;
}

/** Leaves in `info` what the filters do. Throws ConfigError. */
export function passNetworkFilters(
  filters: readonly Filter[],
  transportSocket: string,
  info: ConnectionInfoRecord,
  context: FactoryContext,
): NetworkFiltersOutcome {
  const title = 'Network filters';
  const items: StepItem[] = [];
  const by = transportSocket === '' ? 'plaintext' : `transport socket '${transportSocket}'`;
  for (const { name, typed_config: config } of filters) {
    const type = typeNameOf(config?.type_url ?? '');
    if (type === SNI_CLUSTER_TYPE && info.requestedServerName !== '') {
      info.filterState.set(TCP_CLUSTER_KEY, new StringAccessor(info.requestedServerName));
      items.push({ name, note: `the cluster is '${info.requestedServerName}', the server name`, ok: true });
    } else if (type === RBAC_TYPE && config !== undefined) {
      const verdict = judge(decodeAny(config).message as unknown as RBAC, info, context);
      items.push({ name, note: verdict.note, ok: verdict.allowed });
      if (verdict.allowed) continue;
      const reason = `network filter '${name}' closes the connection: ${verdict.note}`;
      return {
        step: ended('network_filters', title, reason, { items, tree: verdict.tree! }),
        denied: verdict.details,
      };
    } else items.push({ name, note: type, ok: true });
  }
  return { step: passed('network_filters', title, items.at(-1)?.name ?? '', by, { items }), denied: '' };
}

interface Verdict {
  readonly allowed: boolean;
  readonly note: string;
  readonly details: string;
  readonly tree: ExplainNode | undefined;
}

function judge(config: RBAC, info: ConnectionInfoRecord, context: FactoryContext): Verdict {
  const engine = compileRbacEngine(config, '', 'network', context, '');
  if (engine === undefined)
    return { allowed: true, note: 'has no rules: everything passes', details: '', tree: undefined };
  const subject = { connection: info, streamInfo: info.streamInfo, headers: undefined };
  const result = engine.evaluate(subject);
  const note = `${describeResult(engine, result)}: ${result.allowed ? 'it may pass' : 'it is denied'}`;
  const tree = engine.explain(subject);
  return { allowed: result.allowed, note, details: deniedDetails(result), tree };
}
