// What Istio's Telemetry changes about the standard metrics: dropped metrics, removed, replaced and added tags, and
// metrics of the user's own. Istio: MetricOverrides in source/extensions/filters/http/istio_stats/istio_stats.cc.

import type { MetricConfig, PluginConfig } from '../../../../../xds-protos/generated/stats.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { StatTag } from '../../../../api/stats.ts';
import {
  type AttributeContext,
  type AttributeExpression,
  compileAttributeExpression,
} from './attribute_expression.ts';
import { STANDARD_METRICS, STANDARD_TAGS } from './standard_metrics.ts';

/** A metric of the user's own: `istio_<name>` grows by the expression's value. */
export interface CustomMetric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Index of the value's expression. */
  readonly value: number;
}

const KINDS = { COUNTER: 'counter', GAUGE: 'gauge', HISTOGRAM: 'histogram' } as const;
const NO_VALUES: readonly string[] = [];

export class MetricOverrides {
  readonly custom: readonly CustomMetric[];
  private readonly expressions: AttributeExpression[] = [];
  private readonly expressionIndex = new Map<string, number>();
  private readonly dropped = new Set<string>();
  /** By metric and tag: the expression that replaces the value, or undefined where the tag goes. */
  private readonly replaced = new Map<string, Map<string, number | undefined>>();
  private readonly added = new Map<string, { tag: string; expression: number }[]>();

  /** Throws ConfigError at the field that cannot be honoured. */
  constructor(config: PluginConfig, path: string) {
    this.custom = config.definitions.map((definition, i) => {
      const where = at(at(path, 'definitions'), i);
      if (STANDARD_METRICS.includes(definition.name)) {
        throw new ConfigError(
          at(where, 'name'),
          `Re-defining standard metric not allowed: ${definition.name}`,
        );
      }
      const kind = KINDS[definition.type as keyof typeof KINDS];
      if (kind === undefined) throw new ConfigError(at(where, 'type'), `unknown value ${definition.type}`);
      return { name: definition.name, kind, value: this.expression(definition.value, at(where, 'value')) };
    });
    for (const [i, metric] of config.metrics.entries()) this.apply(metric, at(at(path, 'metrics'), i));
  }

  /** Values of all expressions for one stream, in the order that `tagsOf` expects. */
  evaluate(context: AttributeContext): readonly string[] {
    if (this.expressions.length === 0) return NO_VALUES;
    return this.expressions.map((expression) => {
      const value = expression(context);
      return value === undefined ? 'unknown' : String(value);
    });
  }

  isDropped(metric: string): boolean {
    return this.dropped.has(metric);
  }

  /** The tags that `metric` gets instead of `tags`. */
  tagsOf(metric: string, tags: readonly StatTag[], values: readonly string[]): readonly StatTag[] {
    const replaced = this.replaced.get(metric);
    const result: StatTag[] = [];
    for (const tag of tags) {
      if (replaced === undefined || !replaced.has(tag.name)) {
        result.push(tag);
        continue;
      }
      const expression = replaced.get(tag.name);
      if (expression !== undefined) result.push({ name: tag.name, value: values[expression] });
    }
    for (const { tag, expression } of this.added.get(metric) ?? []) {
      result.push({ name: tag, value: values[expression] });
    }
    return result;
  }

  private apply(metric: MetricConfig, path: string): void {
    if (metric.match !== '') throw new ConfigError(at(path, 'match'), 'is not supported');
    if (metric.drop) {
      this.dropped.add(metric.name);
      return;
    }
    const standard =
      metric.name === '' ? STANDARD_METRICS : STANDARD_METRICS.filter((name) => name === metric.name);
    const custom = this.custom.filter(({ name }) => metric.name === '' || name === metric.name);
    for (const tag of metric.tags_to_remove) {
      if (!STANDARD_TAGS.has(tag)) continue;
      for (const name of standard) this.replace(name, tag, undefined);
    }
    // Sorted, so that the order of added tags does not depend on the map's.
    for (const tag of Object.keys(metric.dimensions).sort()) {
      const expression = this.expression(metric.dimensions[tag], `${at(path, 'dimensions')}["${tag}"]`);
      for (const name of standard) {
        if (STANDARD_TAGS.has(tag)) this.replace(name, tag, expression);
        else this.add(name, tag, expression);
      }
      for (const { name } of custom) this.add(name, tag, expression);
    }
  }

  private replace(metric: string, tag: string, expression: number | undefined): void {
    const tags = this.replaced.get(metric) ?? new Map<string, number | undefined>();
    this.replaced.set(metric, tags.set(tag, expression));
  }

  private add(metric: string, tag: string, expression: number): void {
    this.added.set(metric, [...(this.added.get(metric) ?? []), { tag, expression }]);
  }

  private expression(text: string, path: string): number {
    const known = this.expressionIndex.get(text);
    if (known !== undefined) return known;
    const index = this.expressions.push(compileAttributeExpression(text, path)) - 1;
    this.expressionIndex.set(text, index);
    return index;
  }
}
