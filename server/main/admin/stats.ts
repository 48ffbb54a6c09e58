// /stats and /stats/prometheus: hands the stats that the parameters ask for to a renderer.
// Envoy: source/server/admin/stats_handler.cc.

import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, text } from './handler.ts';
import { htmlStats } from './stats_html.ts';
import { jsonStats } from './stats_json.ts';
import { prometheusStats } from './stats_prometheus.ts';
import { readStatsQuery, type StatsQuery } from './stats_query.ts';
import { textStats } from './stats_text.ts';

const FORMAT_USAGE = 'usage: /stats?format=(html|active-html|json|prometheus|text)\n\n';

export async function stats(request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  const format = request.query.get('format') || 'text';
  if (!['html', 'active-html', 'json', 'prometheus', 'text'].includes(format)) return text(FORMAT_USAGE, 400);
  if (format === 'prometheus') return statsPrometheus(request, context);
  const query = readStatsQuery(request.query, context);
  if (typeof query === 'string') return text(query, 400);
  if (query.histograms === 'prometheusnative') {
    return text('Invalid histogram_buckets type for non prometheus stats type', 400);
  }
  if (format === 'json') {
    return {
      status: 200,
      contentType: 'application/json',
      body: jsonStats(context.stats, context.statsSettings, query),
    };
  }
  const lines = textStats(context.stats, context.statsSettings, query);
  if (format === 'text') return text(lines);
  return {
    status: 200,
    contentType: 'text/html; charset=UTF-8',
    body: htmlStats(lines, format === 'active-html'),
  };
}

export async function statsPrometheus(request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  const query = readStatsQuery(request.query, context);
  if (typeof query === 'string') return text(query, 400);
  const isProtobuf = acceptsProtobuf(request.accept);
  if (query.histograms === 'prometheusnative' && !isProtobuf) {
    return text('unsupported prometheusnative histogram type when not using protobuf exposition format', 400);
  }
  if (!['none', 'cumulative', 'summary', 'prometheusnative'].includes(query.histograms)) {
    return text('unsupported prometheus histogram bucket mode', 400);
  }
  // Said in so many words, `none` is a summary; said nothing, all buckets.
  const none = request.query.get('histogram_buckets') === 'none';
  const asked: StatsQuery = none ? { ...query, histograms: 'summary' } : query;
  if (!isProtobuf) return text(prometheusStats(context.stats, context.statsSettings, asked));
  const { PROTOBUF_TYPE, prometheusProtobuf } = await import('./prometheus_protobuf.ts');
  return {
    status: 200,
    contentType: PROTOBUF_TYPE,
    body: prometheusProtobuf(context.stats, context.statsSettings, asked),
    encoding: 'latin1',
  };
}

/** Does the header name protobuf before plain text? Envoy looks at nothing else in it. */
function acceptsProtobuf(accept: string): boolean {
  for (const range of accept.split(',')) {
    const [type = ''] = range.split(';');
    if (type.trim() === 'application/vnd.google.protobuf') return true;
    if (type.trim() === 'text/plain') return false;
  }
  return false;
}
