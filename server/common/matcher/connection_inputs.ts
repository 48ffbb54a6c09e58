// What match trees may ask of a connection: its addresses, its server name, the certificate of its peer. Both kinds of trees know
// these; what else there is, is theirs. Envoy: source/extensions/matching/network/common/inputs.h,
// source/extensions/matching/common_inputs/environment_variable.

import type { DecodedAny } from '../../../xds-protos/load.ts';
import type { Address, ConnectionInfo } from '../../api/stream_info.ts';
import { isSameIpOrLoopback } from '../network/address.ts';
import { latin1Of } from './latin1.ts';
import type { MatchInput } from './match_predicate.ts';

export const NETWORK_INPUTS = 'envoy.extensions.matching.common_inputs.network.v3.';
const SSL_INPUTS = 'envoy.extensions.matching.common_inputs.ssl.v3.';
const ENVIRONMENT_VARIABLE = 'envoy.extensions.matching.common_inputs.environment_variable.v3.Config';

/** `remote` is the client's address: of a request, it may be what a header says. */
type Fact = (connection: ConnectionInfo, remote: Address) => string | undefined;

/** What most inputs are of a stream or a connection. */
export interface ConnectionFacts {
  readonly connection: ConnectionInfo;
  readonly remoteAddress: Address;
}

const FACTS: Readonly<Record<string, Fact>> = {
  [`${NETWORK_INPUTS}DestinationIPInput`]: ({ localAddress }) => localAddress.ip,
  [`${NETWORK_INPUTS}DestinationPortInput`]: ({ localAddress }) => portOf(localAddress),
  [`${NETWORK_INPUTS}SourceIPInput`]: (_connection, remote) => remote.ip,
  [`${NETWORK_INPUTS}SourcePortInput`]: (_connection, remote) => portOf(remote),
  [`${NETWORK_INPUTS}DirectSourceIPInput`]: ({ directRemoteAddress }) => directRemoteAddress.ip,
  [`${NETWORK_INPUTS}SourceTypeInput`]: ({ localAddress }, remote) =>
    isSameIpOrLoopback(remote, localAddress) ? 'local' : undefined,
  [`${NETWORK_INPUTS}ServerNameInput`]: ({ requestedServerName }) => requestedServerName,
  // Listeners in network namespaces of their own are refused.
  [`${NETWORK_INPUTS}NetworkNamespaceInput`]: () => undefined,
  [`${SSL_INPUTS}UriSanInput`]: ({ ssl }) => ssl?.uriSanPeer.join(','),
  [`${SSL_INPUTS}DnsSanInput`]: ({ ssl }) => ssl?.dnsSanPeer.join(','),
  [`${SSL_INPUTS}SubjectInput`]: ({ ssl }) => ssl?.subjectPeer,
};

function portOf({ ip, port }: Address): string | undefined {
  return ip === '' ? undefined : String(port);
}

/** Undefined where it is none of these. */
export function connectionInput<Data>(
  { typeName, message }: DecodedAny,
  factsOf: (data: Data) => ConnectionFacts,
): MatchInput<Data> | undefined {
  if (typeName === ENVIRONMENT_VARIABLE) {
    const variable = String(message.name);
    const value = process.env[variable];
    const text = value && latin1Of(value);
    return { name: `environment variable ${variable}`, get: () => text || undefined };
  }
  if (!Object.hasOwn(FACTS, typeName)) return undefined;
  const fact = FACTS[typeName];
  const name = typeName.slice(typeName.lastIndexOf('.') + 1, -'Input'.length);
  return {
    name,
    get(data) {
      const { connection, remoteAddress } = factsOf(data);
      const text = fact(connection, remoteAddress);
      return text === undefined || text === '' ? undefined : latin1Of(text);
    },
  };
}
