// Routes that are answered without an upstream: direct responses and redirects.
// Follows Envoy's Filter::decodeHeaders (source/common/router/router.cc).

import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { DirectResponseEntry, Route } from '../../../../api/router.ts';

export function respondDirectly(
  route: Route,
  direct: DirectResponseEntry,
  headers: RequestHeaderMap,
  callbacks: StreamDecoderFilterCallbacks,
): void {
  const info = callbacks.streamInfo;
  const code = direct.responseCode;
  direct.rewritePathHeader(headers);
  // RFC 9110 10.2.2: Location means something in these answers only.
  const uri = code === 201 || (code >= 300 && code < 400) ? direct.newUri(headers) : '';
  const body = direct.responseBody(headers, info);
  callbacks.sendLocalReply(code, body, 'direct_response', {
    modifyHeaders: (response) => {
      if (uri !== '') response.append('location', uri);
      route.finalizeResponseHeaders(response, headers, info);
      // text/plain is what every local reply is unless it says otherwise.
      if (body !== '' && direct.contentType !== '' && direct.contentType !== 'text/plain')
        response.set('content-type', direct.contentType);
    },
  });
}
