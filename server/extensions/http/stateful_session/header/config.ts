// envoy.http.stateful_session.header: the host's address in a header. Envoy: source/extensions/http/stateful_session/header.

import type { HeaderBasedSessionState } from '../../../../../xds-protos/generated/envoy/extensions/http/stateful_session/header/v3.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { SessionState, SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { base64Decode, base64Encode } from '../../../../common/base64.ts';
import { headerName } from '../../../../common/matcher/header_matcher.ts';

export const headerSessionFactory: SettingsFactory<HeaderBasedSessionState> = {
  compile({ name }): SessionStateFactory {
    const header = headerName(name);
    return { create: (headers: RequestHeaderMap) => new HeaderSessionState(header, headers.get(header)) };
  },
};

class HeaderSessionState implements SessionState {
  readonly upstreamAddress: string | undefined;
  private readonly name: string;

  constructor(name: string, value: string | undefined) {
    this.name = name;
    const address = value === undefined ? undefined : base64Decode(value)?.toString('latin1');
    this.upstreamAddress = address === '' ? undefined : address;
  }

  onUpdate(address: string, headers: ResponseHeaderMap): boolean {
    if (address === this.upstreamAddress) return false;
    headers.set(this.name, base64Encode(Buffer.from(address, 'latin1')));
    return true;
  }
}
