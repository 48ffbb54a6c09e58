// All response flags in a few words. Envoy: docs, configuration/observability/access_log/usage, %RESPONSE_FLAGS%.

export const FLAG_TITLES: Readonly<Record<string, string>> = {
  UH: 'No host of the cluster could be used',
  UF: 'The connection to the upstream host failed',
  UO: 'A circuit breaker of the cluster is open',
  NR: 'No route or no filter chain for the request',
  NC: 'The cluster of the route is not there',
  URX: 'Retries are used up, or connect attempts of a TCP connection',
  UT: 'The upstream took too long',
  UC: 'The upstream closed the connection',
  UR: 'The upstream reset the stream',
  UPE: 'The upstream did not speak the protocol properly',
  LR: 'The proxy reset the stream itself',
  LH: 'The local service failed its health check',
  DC: 'The client closed the connection',
  DR: 'The client reset the stream',
  DPE: 'The client did not speak the protocol properly',
  DT: 'The request or connection lasted longer than it may',
  SI: 'Nothing happened on the stream for too long',
  UMSDR: 'The upstream stream lasted longer than it may',
  RL: 'A rate limit was reached',
  RLSE: 'The rate limit service failed',
  UAEX: 'The external authorization service said no',
  DI: 'A fault filter delayed the request',
  FI: 'A fault filter aborted the request',
  IH: 'An x-envoy header of the request has a value that is not allowed',
  RFCF: 'The answer came from a cache',
  NFCF: 'An HTTP filter has no configuration yet',
  OM: 'The overload manager ended the request',
  DF: 'The name of the upstream could not be resolved',
  DO: 'The cluster drops part of its load (drop_overloads)',
  UDO: 'The cluster drops all of its load (drop_overloads)',
};

/** Details that stand without a flag: what they mean, and what to do. */
export const DETAILS: Readonly<Record<string, { readonly title: string; readonly advice: string }>> = {
  via_upstream: {
    title: 'The upstream answered so itself',
    advice: 'Look into the log of the host: the proxy has only passed its answer on.',
  },
  missing_host_header: {
    title: 'The request names no host',
    advice: 'HTTP/1.1 clients must send a Host header.',
  },
  missing_path_rejected: {
    title: 'The request has no path',
    advice: 'Send a path that begins with a slash.',
  },
  absolute_path_rejected: {
    title: 'The path does not begin with a slash',
    advice: 'Send a path that begins with a slash.',
  },
  path_normalization_failed: {
    title: 'The path cannot be normalized, or is redirected to its normal form',
    advice:
      'Look at normalize_path, merge_slashes and path_with_escaped_slashes_action of the connection manager.',
  },
  upgrade_failed: {
    title: 'The upgrade that the request asks for is not allowed here',
    advice: 'List it in upgrade_configs of the route or of the connection manager.',
  },
  request_payload_too_large: {
    title: 'A filter had to hold more of the request than it may',
    advice: 'Raise per_connection_buffer_limit_bytes of the listener, or the limit of the buffer filter.',
  },
  response_payload_too_large: {
    title: 'A filter had to hold more of the response than it may',
    advice: 'Raise per_connection_buffer_limit_bytes of the listener.',
  },
  max_duration_timeout: {
    title: 'The request lasted longer than it may',
    advice: 'Raise max_stream_duration of the route or of the connection manager.',
  },
  request_header_timeout: {
    title: 'The head of the request came too slowly',
    advice: 'Look at request_headers_timeout of the connection manager, or at the client.',
  },
  request_overall_timeout: {
    title: 'The request came too slowly',
    advice: 'Look at request_timeout of the connection manager, or at the client.',
  },
  filter_chain_exception: {
    title: 'An HTTP filter threw an exception',
    advice: "The proxy's log has the exception with its stack.",
  },
  direct_response: {
    title: 'The route answers so by itself',
    advice: 'Look at direct_response of the route.',
  },
};
