// envoy.access_loggers.extension_filters.cel: lines of the requests for which an expression is true.
// Envoy: source/extensions/access_loggers/filters/cel.

import type * as cel from '../../../../../xds-protos/generated/envoy/extensions/access_loggers/filters/cel/v3.ts';
import type { AccessLogFilter, LogContext } from '../../../../api/access_log.ts';
import { at } from '../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { type CelExpression, compileCel } from '../../../../common/expr/cel_expression.ts';

class CelFilter implements AccessLogFilter {
  private readonly expression: CelExpression;

  constructor(expression: CelExpression) {
    this.expression = expression;
  }

  evaluate(context: LogContext): boolean {
    return this.expression.matches(context);
  }
}

export const celAccessLogFilter: SettingsFactory<cel.ExpressionFilter> = {
  compile({ expression, cel_config: config }, context, path): AccessLogFilter {
    return new CelFilter(
      compileCel(expression, config, context, at(path, 'expression'), 'filter expression'),
    );
  },
};
