// A request whose path is not one, or is not in its normal form: it goes on with the normal one, is sent there, or is refused.
// Follows Envoy's source/common/http/conn_manager_impl.cc (ActiveStream::decodeHeaders, maybeNormalizePath).

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import { HTTP_STATS } from '../stats/families/http.ts';
import type { ActiveStream } from './active_stream.ts';
import type { ConnectionManager } from './conn_manager.ts';
import { needsNormalization, normalizeRequestPath } from './path_utility.ts';

const STAT = HTTP_STATS.offset;
const SLASH = 47;

/** False when the request has been answered: it has no path, one of another form, or one that is not normal. */
export function checkPath(
  stream: ActiveStream,
  manager: ConnectionManager,
  headers: RequestHeaderMap,
): boolean {
  const { stats, pathNormalization } = manager.config;
  if (headers.path.charCodeAt(0) !== SLASH && headers.method !== 'CONNECT') {
    stats.values[stats.base + STAT.downstream_rq_non_relative_path]++;
    if (headers.path === '') stream.sendLocalReply(400, '', 'missing_path_rejected');
    else stream.sendLocalReply(404, '', 'absolute_path_rejected');
    return false;
  }
  return !needsNormalization(headers.path, pathNormalization) || normalizePath(stream, manager, headers);
}

function normalizePath(stream: ActiveStream, manager: ConnectionManager, headers: RequestHeaderMap): boolean {
  const { stats, pathNormalization } = manager.config;
  const { path, redirect, refused } = normalizeRequestPath(headers.path, pathNormalization);
  if (path === undefined) {
    manager.closeAfterStream();
    stats.values[stats.base + STAT.downstream_rq_failed_path_normalization]++;
    if (refused !== undefined) headers.path = refused;
    stream.sendLocalReply(400, '', 'path_normalization_failed');
    return false;
  }
  headers.path = path;
  if (!redirect) return true;
  stats.values[stats.base + STAT.downstream_rq_redirected_with_normalized_path]++;
  stream.sendLocalReply(307, '', 'path_normalization_failed', {
    modifyHeaders: (response) => response.set('location', path),
  });
  return false;
}
