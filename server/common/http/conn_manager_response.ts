// What a connection manager changes in a response's head before it leaves: hop-by-hop headers go, `server`, `date`, `via`
// and the request id come. Follows Envoy's mutateResponseHeaders in source/common/http/conn_manager_utility.cc.

import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import { systemNow } from '../event/dispatcher.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { appendVia } from './conn_manager_utility.ts';

/** `upgraded`: the request asked for an upgrade, so the answer's own `connection: upgrade` stays. */
export function mutateResponseHeaders(
  headers: ResponseHeaderMap,
  request: RequestHeaderMap,
  upgraded: boolean,
  config: ConnectionManagerConfig,
): void {
  if (!(upgraded && headers.status === 101)) {
    headers.remove('connection');
    headers.remove('upgrade');
  }
  headers.remove('transfer-encoding');
  headers.remove('keep-alive');
  headers.remove('proxy-connection');
  if (!headers.has('date')) headers.append('date', currentDate());
  if (config.serverHeader === 'OVERWRITE') headers.set('server', config.serverName);
  else if (config.serverHeader === 'APPEND_IF_ABSENT' && !headers.has('server'))
    headers.append('server', config.serverName);
  if (config.via !== '') appendVia(headers, config.via);
  if (config.alwaysSetRequestIdInResponse || request.has('x-envoy-force-trace')) {
    const id = request.get('x-request-id');
    if (id !== undefined) headers.set('x-request-id', id);
  }
}

let dateText = '';
let dateSecond = -1;

/** The time as an HTTP date (RFC 9110 5.6.7), made once a second. */
export function currentDate(): string {
  const second = Math.floor(systemNow() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
