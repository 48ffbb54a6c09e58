// envoy.formatter.req_without_query: %REQ_WITHOUT_QUERY(X?Y):Z%, a header without what follows a `?`.
// Envoy: source/extensions/formatter/req_without_query.

import type { SettingsFactory } from '../../../api/registry.ts';
import { compileCommand } from '../../../common/formatter/command_table.ts';
import { type CommandParser, StringFormatterProvider } from '../../../common/formatter/formatter_provider.ts';
import { headerValue, parseHeaderNames } from '../../../common/formatter/http_formatter.ts';

export const reqWithoutQueryFormatter: SettingsFactory<object> = {
  compile(_config, context): CommandParser {
    return {
      parse(command, argument, maxLength, path) {
        if (command !== 'REQ_WITHOUT_QUERY') return undefined;
        return compileCommand(command, REQ_WITHOUT_QUERY, { argument, maxLength, context, path });
      },
    };
  },
};

const REQ_WITHOUT_QUERY: Parameters<typeof compileCommand>[1] = {
  parameters: 'required',
  lengthAllowed: true,
  compile({ argument, maxLength, path }) {
    const { main, alternative } = parseHeaderNames(argument, path);
    return new StringFormatterProvider(({ requestHeaders }) => {
      const value = headerValue(requestHeaders, main, alternative);
      const query = value === undefined ? -1 : value.indexOf('?');
      return query < 0 ? value : value!.slice(0, query);
    }, maxLength);
  },
};
