// envoy.http.stateful_session.envelope: the session that the upstream has in a header, with the host's address around it.
// Envoy: source/extensions/http/stateful_session/envelope/envelope.cc.

import type { EnvelopeSessionState as EnvelopeSessionStateConfig } from '../../../../../xds-protos/generated/envoy/extensions/http/stateful_session/envelope/v3.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { SessionState, SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { base64Decode, base64Encode } from '../../../../common/base64.ts';
import { headerName } from '../../../../common/matcher/header_matcher.ts';

/** Before the upstream's own value. */
const UPSTREAM_VALUE = 'UV:';

export const envelopeSessionFactory: SettingsFactory<EnvelopeSessionStateConfig> = {
  compile({ header }): SessionStateFactory {
    const name = headerName(header!.name);
    return { create: (headers) => new EnvelopeSessionState(name, unwrap(headers, name)) };
  },
};

/** Leaves the upstream's own value in the request, and tells whose it is. */
function unwrap(headers: RequestHeaderMap, name: string): string | undefined {
  const parts =
    headers
      .get(name)
      ?.split(';')
      .filter((part) => part !== '') ?? [];
  const wrapped = parts.find((part, i) => i > 0 && part.startsWith(UPSTREAM_VALUE)) ?? UPSTREAM_VALUE;
  const value = decoded(wrapped.slice(UPSTREAM_VALUE.length));
  if (value === '') return undefined;
  headers.set(name, value);
  return decoded(parts[0]) || undefined;
}

/** '' where it is not base64. */
function decoded(text: string): string {
  return base64Decode(text)?.toString('latin1') ?? '';
}

class EnvelopeSessionState implements SessionState {
  readonly upstreamAddress: string | undefined;
  private readonly name: string;

  constructor(name: string, upstreamAddress: string | undefined) {
    this.name = name;
    this.upstreamAddress = upstreamAddress;
  }

  onUpdate(address: string, headers: ResponseHeaderMap): boolean {
    const value = headers.get(this.name);
    // Of several it is not known which one is the session.
    if (value === undefined || headers.getAll(this.name) !== value) return false;
    const [host, own] = [address, value].map((text) => base64Encode(Buffer.from(text, 'latin1')));
    headers.set(this.name, `${host};${UPSTREAM_VALUE}${own}`);
    return address !== this.upstreamAddress;
  }
}
