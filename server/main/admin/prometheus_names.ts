// Names of stats and tags as Prometheus takes them. Envoy: source/server/admin/prometheus_stats.cc.

import { stripCustomNamespace } from '../../common/stats/custom_stat_namespaces.ts';

/** The name of a metric; undefined for one that cannot be. `name` is without tags. */
export function metricName(name: string): string | undefined {
  const custom = stripCustomNamespace(name);
  if (custom === undefined) return `envoy_${sanitize(name)}`;
  const metric = sanitize(custom);
  return metric === '' || /^\d/.test(metric) ? undefined : metric;
}

/** Of a name or a label. */
export function sanitize(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}
