// request_headers_to_add/remove and response_headers_to_add/remove, compiled. As in Envoy, removals come first, then all values are
// formatted, and only then anything is written, so that one mutation never sees another one of the same list.
// Envoy: source/common/router/header_parser.cc.

import type { HeaderValueOption } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Formatter, LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileFormat } from '../formatter/substitution_formatter.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';

const APPEND_IF_EXISTS_OR_ADD = 0;
const ADD_IF_ABSENT = 1;
const OVERWRITE_IF_EXISTS_OR_ADD = 2;
const OVERWRITE_IF_EXISTS = 3;
const ACTIONS = {
  APPEND_IF_EXISTS_OR_ADD,
  ADD_IF_ABSENT,
  OVERWRITE_IF_EXISTS_OR_ADD,
  OVERWRITE_IF_EXISTS,
} as const;

/** The value of a mutation, `%...%` parts filled in. */
interface HeaderFormatter {
  readonly name: string;
  readonly action: number;
  readonly keepEmptyValue: boolean;
  /** The value where it has no operator, else undefined. */
  readonly literal: string | undefined;
  readonly formatter: Formatter | undefined;
}

export class HeaderParser {
  private readonly toRemove: readonly string[];
  private readonly toAdd: readonly HeaderFormatter[];
  /** No two mutations are of one header and no value has an operator: each may be written at once. */
  private readonly simple: boolean;

  constructor(toRemove: readonly string[], toAdd: readonly HeaderFormatter[]) {
    this.toRemove = toRemove;
    this.toAdd = toAdd;
    const names = new Set(toAdd.map((formatter) => formatter.name));
    this.simple = names.size === toAdd.length && toAdd.every((formatter) => formatter.literal !== undefined);
  }

  /** On the way upstream. */
  evaluateRequestHeaders(headers: RequestHeaderMap, info: StreamInfo): void {
    this.remove(headers);
    if (this.simple) this.addLiterals(headers);
    else this.add(headers, headers, undefined, info);
  }

  /** On the way downstream. */
  evaluateResponseHeaders(
    headers: ResponseHeaderMap,
    requestHeaders: RequestHeaderMap,
    info: StreamInfo,
  ): void {
    this.remove(headers);
    if (this.simple) this.addLiterals(headers);
    else this.add(headers, requestHeaders, headers, info);
  }

  private remove(headers: HeaderMap): void {
    for (let i = 0; i < this.toRemove.length; i++) headers.remove(this.toRemove[i]);
  }

  private addLiterals(headers: HeaderMap): void {
    for (let i = 0; i < this.toAdd.length; i++) {
      const { name, action, literal, keepEmptyValue } = this.toAdd[i];
      if ((literal !== '' || keepEmptyValue) && applies(action, headers, name)) {
        // As in Envoy, what replaces a header stands last.
        if (action >= OVERWRITE_IF_EXISTS_OR_ADD) headers.remove(name);
        headers.append(name, literal!);
      }
    }
  }

  private add(
    headers: HeaderMap,
    requestHeaders: RequestHeaderMap,
    responseHeaders: ResponseHeaderMap | undefined,
    info: StreamInfo,
  ): void {
    const context: LogContext = {
      requestHeaders,
      responseHeaders,
      responseTrailers: undefined,
      streamInfo: info,
      localReplyBody: '',
      accessLogType: 'NotSet',
    };
    const overwrites: string[] = [];
    const additions: string[] = [];
    for (const { name, action, literal, formatter, keepEmptyValue } of this.toAdd) {
      const value = literal ?? formatter!.format(context);
      if ((value === '' && !keepEmptyValue) || !applies(action, headers, name)) continue;
      (action >= OVERWRITE_IF_EXISTS_OR_ADD ? overwrites : additions).push(name, value);
    }
    for (let i = 0; i < overwrites.length; i += 2) {
      headers.remove(overwrites[i]);
      headers.append(overwrites[i], overwrites[i + 1]);
    }
    for (let i = 0; i < additions.length; i += 2) headers.append(additions[i], additions[i + 1]);
  }
}

function applies(action: number, headers: HeaderMap, name: string): boolean {
  if (action === ADD_IF_ABSENT) return !headers.has(name);
  return action !== OVERWRITE_IF_EXISTS || headers.has(name);
}

/** Compiles one level's mutations of one direction; undefined where there are none. `field` is `request_headers` or `response_headers`. */
export function compileHeaderParser(
  toAdd: readonly HeaderValueOption[],
  toRemove: readonly string[],
  context: FactoryContext,
  path: string,
  field: 'request_headers' | 'response_headers',
): HeaderParser | undefined {
  if (toAdd.length === 0 && toRemove.length === 0) return undefined;
  const removals = toRemove.map((name, i) => {
    if (isModifiable(name)) return headerName(name);
    throw new ConfigError(
      at(at(path, `${field}_to_remove`), i),
      ':-prefixed or host headers may not be removed',
    );
  });
  const additions = toAdd.map((option, i) =>
    compileHeaderValue(option, context, at(at(path, `${field}_to_add`), i)),
  );
  return new HeaderParser(Object.freeze(removals), Object.freeze(additions));
}

// Path and host have their own rewrites, which these would get in the way of.
function isModifiable(name: string): boolean {
  return !name.startsWith(':') && name.toLowerCase() !== 'host';
}

function compileHeaderValue(
  option: HeaderValueOption,
  context: FactoryContext,
  path: string,
): HeaderFormatter {
  const key = option.header?.key ?? '';
  if (!isModifiable(key)) throw new ConfigError(path, ':-prefixed or host headers may not be modified');
  const raw = option.header?.raw_value;
  const text = option.header?.value || (raw === undefined ? '' : Buffer.from(raw).toString('utf8'));
  const dynamic = text.includes('%');
  return Object.freeze({
    name: headerName(key),
    action: compileAction(option, path),
    keepEmptyValue: option.keep_empty_value,
    literal: dynamic ? undefined : latin1Of(text),
    formatter: dynamic
      ? compileFormat(text, context, at(path, 'header.value'), { omitEmptyValues: true })
      : undefined,
  });
}

function compileAction(option: HeaderValueOption, path: string): number {
  const action = option.append_action;
  if (option.append !== undefined) {
    if (action !== 'APPEND_IF_EXISTS_OR_ADD') {
      throw new ConfigError(path, "Both append and append_action are set and it's not allowed");
    }
    return option.append.value ? APPEND_IF_EXISTS_OR_ADD : OVERWRITE_IF_EXISTS_OR_ADD;
  }
  if (typeof action === 'number') throw new ConfigError(at(path, 'append_action'), `unknown value ${action}`);
  return ACTIONS[action];
}
