// Counters of the HTTP/1 codecs. Envoy: source/common/http/http1/codec_stats.h, below `http1.`.

/** The owner (connection manager or cluster) publishes these under its own prefix; the codecs only add to them. */
export interface Http1CodecStats {
  /** `http1.dropped_headers_with_underscores` */
  droppedHeadersWithUnderscores: number;
  /** `http1.metadata_not_supported_error`: HTTP/1 carries no metadata, whoever encodes some counts it here. */
  metadataNotSupportedError: number;
  /** `http1.requests_rejected_with_underscores_in_headers` */
  requestsRejectedWithUnderscoresInHeaders: number;
  /** `http1.response_flood`: pipelined requests beyond what a connection may queue. */
  responseFlood: number;
}

export function createHttp1CodecStats(): Http1CodecStats {
  return {
    droppedHeadersWithUnderscores: 0,
    metadataNotSupportedError: 0,
    requestsRejectedWithUnderscoresInHeaders: 0,
    responseFlood: 0,
  };
}
