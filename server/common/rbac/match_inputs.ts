// What the match trees of access control may look at. Envoy: ActionValidationVisitor of source/extensions/filters/{http,network}/rbac.

import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import { typeNameOf, typeUrlOf } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { MatchInput } from '../matcher/match_predicate.ts';
import { compileHttpMatchInput, type HttpMatchingData } from '../router/http_match_inputs.ts';
import type { RbacLayer, RbacSite, RbacSubject } from './matchers.ts';

const COMMON = 'envoy.extensions.matching.common_inputs.';
const TLS_INPUTS = ['UriSan', 'DnsSan', 'Subject'].map((name) => `${COMMON}ssl.v3.${name}Input`);
const CONNECTION_INPUTS = [
  ...[
    'DestinationIP',
    'DestinationPort',
    'SourceIP',
    'SourcePort',
    'DirectSourceIP',
    'ServerName',
    'FilterState',
  ].map((name) => `${COMMON}network.v3.${name}Input`),
  ...TLS_INPUTS,
  `${COMMON}environment_variable.v3.Config`,
];
const ALLOWED: Readonly<Record<RbacLayer, readonly string[]>> = {
  network: CONNECTION_INPUTS,
  http: [
    ...CONNECTION_INPUTS,
    `${COMMON}network.v3.DynamicMetadataInput`,
    'envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
    'xds.type.matcher.v3.HttpAttributesCelMatchInput',
  ],
};
const REFUSAL: Readonly<Record<RbacLayer, string>> = {
  network: 'RBAC network filter cannot match',
  http: 'RBAC HTTP filter cannot match on',
};

/** What a tree has asked for in vain: from there on it comes to nothing, and not to `on_no_match` either. */
export interface Unavailable {
  tls: boolean;
}

/** Notes in `unavailable` what was asked for in vain. Throws ConfigError. */
export function compileRbacInput(
  config: TypedExtensionConfig,
  { layer }: RbacSite,
  unavailable: Unavailable,
  path: string,
): MatchInput<RbacSubject> {
  const typeName = typeNameOf(config.typed_config?.type_url ?? '');
  if (config.typed_config !== undefined && !ALLOWED[layer].includes(typeName)) {
    const reason = `requirement violation while creating RBAC match tree: INVALID_ARGUMENT: ${REFUSAL[layer]}`;
    throw new ConfigError(at(path, 'typed_config'), `${reason} '${typeUrlOf(typeName)}'`);
  }
  const input = ofSubject(compileHttpMatchInput(config, path));
  if (!TLS_INPUTS.includes(typeName)) return input;
  return {
    name: input.name,
    get(subject) {
      if (subject.connection.ssl === undefined) unavailable.tls = true;
      return input.get(subject);
    },
  };
}

/** The inputs of a connection do not look at headers, which it has none of. */
function ofSubject(input: MatchInput<HttpMatchingData>): MatchInput<RbacSubject> {
  const data = ({ headers, streamInfo }: RbacSubject): HttpMatchingData => ({
    headers: headers as HttpMatchingData['headers'],
    info: streamInfo,
  });
  const { metadata, attributes } = input;
  return {
    name: input.name,
    get: (subject) => input.get(data(subject)),
    ...(metadata && { metadata: (subject: RbacSubject) => metadata(data(subject)) }),
    ...(attributes && { attributes: (subject: RbacSubject) => attributes(data(subject)) }),
  };
}
