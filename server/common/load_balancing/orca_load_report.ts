// How busy a host says it is, in headers or trailers of its answers (ORCA): binary, JSON or text.
// Envoy: source/common/orca/orca_parser.cc; https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto.

import type { OrcaLoadReport } from '../../../xds-protos/generated/xds/data/orca/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { create, decode } from '../../../xds-protos/load.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import type { ClientSideWeightedConfig } from './load_balancer_config.ts';

const TYPE = 'xds.data.orca.v3.OrcaLoadReport';
/** Weights are whole, and 32 bits. */
const MAX_WEIGHT = 0xffff_ffff;
const NAMED = 'named_metrics.';
/** What a number of the text format may look like. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^0x[\da-f]+$/i;
const FIELDS: ReadonlySet<string> = new Set([
  'cpu_utilization',
  'mem_utilization',
  'application_utilization',
  'eps',
  'rps_fractional',
]);

/** Undefined without a report, or with one that cannot be read. */
export function parseOrcaLoadReport(headers: HeaderMap): OrcaLoadReport | undefined {
  const binary = headers.get('endpoint-load-metrics-bin');
  const text = headers.get('endpoint-load-metrics');
  if (binary === undefined && text === undefined) return undefined;
  try {
    if (binary !== undefined) return decode(TYPE, Buffer.from(binary, 'base64'));
    const space = text!.indexOf(' ');
    const value = text!.slice(space + 1);
    switch (text!.slice(0, space)) {
      case 'BIN':
        return decode(TYPE, Buffer.from(value, 'base64'));
      case 'JSON':
        return fromJson(TYPE, JSON.parse(value));
      case 'TEXT':
        return fromText(value);
      default:
        return undefined;
    }
  } catch {
    // What a host sends decides on nothing but its weight.
    return undefined;
  }
}

function fromText(text: string): OrcaLoadReport | undefined {
  const fields: Record<string, number> = {};
  const named: Record<string, number> = {};
  const seen = new Set<string>();
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue;
    const separator = part.search(/[=:]/);
    const name = part.slice(0, separator);
    const value = part.slice(separator + 1).trim();
    const number = Number(value.replace(/^\+/, ''));
    if (separator < 0 || seen.has(name) || !NUMBER.test(value)) return undefined;
    seen.add(name);
    if (FIELDS.has(name)) fields[name] = number;
    else if (name.startsWith(NAMED) && name !== NAMED) named[name.slice(NAMED.length)] = number;
    else return undefined;
  }
  return create(TYPE, { ...fields, named_metrics: named });
}

/** The highest of the named metrics (`cpu_utilization`, `named_metrics.<key>`, `utilization.*`, ...); 0 when there is none. */
export function maxUtilization(report: OrcaLoadReport, names: readonly string[]): number {
  let max = 0;
  for (const name of names) {
    const dot = name.indexOf('.');
    if (dot < 0) {
      if (FIELDS.has(name)) max = Math.max(max, report[name as 'cpu_utilization']);
      continue;
    }
    const map = report[name.slice(0, dot) as 'utilization' | 'named_metrics' | 'request_cost'];
    if (typeof map !== 'object') continue;
    const key = name.slice(dot + 1);
    if (key === '*') max = Math.max(max, ...Object.values(map));
    else max = Math.max(max, map[key] ?? 0);
  }
  return max;
}

/** Undefined for a report that says nothing of the load. */
export function weightOf(
  report: OrcaLoadReport,
  config: Pick<ClientSideWeightedConfig, 'metricNames' | 'errorPenalty'>,
): number | undefined {
  const queries = report.rps_fractional;
  if (queries <= 0) return undefined;
  let utilization = maxUtilization(report, config.metricNames);
  if (utilization <= 0) utilization = report.application_utilization;
  if (utilization <= 0) utilization = report.cpu_utilization;
  utilization += (config.errorPenalty * report.eps) / queries;
  return utilization > 0 ? Math.min(MAX_WEIGHT, Math.trunc(queries / utilization)) : undefined;
}
