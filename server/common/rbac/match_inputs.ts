// What the match trees of access control may look at. Envoy: ActionValidationVisitor of source/extensions/filters/{http,network}/rbac.

import type { HttpRequestHeaderMatchInput } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import { decodeAny, typeUrlOf } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address, SslConnectionInfo } from '../../api/stream_info.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import type { MatchInput } from '../matcher/match_predicate.ts';
import type { RbacSite, RbacSubject } from './matchers.ts';

const PACKAGE = 'envoy.extensions.matching.common_inputs.';
const FILTER_STATE_INPUT = `${PACKAGE}network.v3.FilterStateInput`;
const HEADER_INPUT = 'envoy.type.matcher.v3.HttpRequestHeaderMatchInput';

/** By name below PACKAGE. Undefined: not there. */
const INPUTS: Readonly<Record<string, (subject: RbacSubject) => string | undefined>> = {
  'network.v3.DestinationIPInput': ({ connection }) => connection.localAddress.ip || undefined,
  'network.v3.DestinationPortInput': ({ connection }) => portOf(connection.localAddress),
  'network.v3.SourceIPInput': ({ streamInfo }) => streamInfo.remoteAddress.ip || undefined,
  'network.v3.SourcePortInput': ({ streamInfo }) => portOf(streamInfo.remoteAddress),
  'network.v3.DirectSourceIPInput': ({ connection }) => connection.directRemoteAddress.ip || undefined,
  'network.v3.ServerNameInput': ({ connection }) => connection.requestedServerName || undefined,
};
const TLS_INPUTS: Readonly<Record<string, (ssl: SslConnectionInfo) => string>> = {
  'ssl.v3.UriSanInput': ({ uriSanPeer }) => uriSanPeer.join(','),
  'ssl.v3.DnsSanInput': ({ dnsSanPeer }) => dnsSanPeer.join(','),
  'ssl.v3.SubjectInput': ({ subjectPeer }) => subjectPeer,
};

/** What a tree has asked for in vain: from there on it comes to nothing, and not to `on_no_match` either. */
export interface Unavailable {
  tls: boolean;
}

function portOf({ ip, port }: Address): string | undefined {
  return ip === '' ? undefined : String(port);
}

/** Notes in `unavailable` what was asked for in vain. Throws ConfigError. */
export function compileRbacInput(
  config: TypedExtensionConfig,
  { layer }: RbacSite,
  unavailable: Unavailable,
  path: string,
): MatchInput<RbacSubject> {
  const where = at(path, 'typed_config');
  if (config.typed_config === undefined) throw new ConfigError(where, 'value is required');
  const { typeName, message } = decodeAny(config.typed_config, where);
  if (typeName === HEADER_INPUT && layer === 'http') {
    const header = headerName((message as unknown as HttpRequestHeaderMatchInput).header_name);
    return { name: `header ${header}`, get: ({ headers }) => headers?.getAll(header) };
  }
  if (typeName === FILTER_STATE_INPUT) {
    const key = String(message.key);
    return {
      name: `filter state ${key}`,
      get: ({ streamInfo }) => latin1(streamInfo.filterState.get(key)?.serializeAsString()),
    };
  }
  const short = typeName.startsWith(PACKAGE) ? typeName.slice(PACKAGE.length) : '';
  const name = typeName.slice(typeName.lastIndexOf('.') + 1, -'Input'.length);
  const ofTls = TLS_INPUTS[short];
  if (ofTls !== undefined) {
    const get = ({ connection: { ssl } }: RbacSubject): string | undefined => {
      if (ssl === undefined) unavailable.tls = true;
      return ssl && latin1(ofTls(ssl) || undefined);
    };
    return { name, get };
  }
  const get = INPUTS[short];
  if (get === undefined) {
    const filter = layer === 'http' ? 'HTTP' : 'network';
    throw new ConfigError(
      where,
      `requirement violation while creating RBAC match tree: INVALID_ARGUMENT: RBAC ${filter} filter cannot match on '${typeUrlOf(typeName)}'`,
    );
  }
  return { name, get: (data) => latin1(get(data)) };
}

function latin1(text: string | undefined): string | undefined {
  return text === undefined ? undefined : latin1Of(text);
}
