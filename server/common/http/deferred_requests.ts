// How many requests one read of a connection may begin: the others wait for the next turn of the event loop, so that one
// client does not hold up all the others, and what it takes back meanwhile costs next to nothing.
// Envoy: ConnectionManagerImpl::onDeferredRequestProcessing (source/common/http/conn_manager_impl.cc), runtime key
// http.max_requests_per_io_cycle, which is not set by default.

import type { RequestDecoder, StreamResetReason } from '../../api/http/codec.ts';
import type { RequestHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { Runtime } from '../../api/runtime.ts';
import { BodyBuffer } from '../buffer/body_buffer.ts';
import { enter, leave } from '../event/dispatcher.ts';

const MAX_REQUESTS_PER_IO_CYCLE = 'http.max_requests_per_io_cycle';

/** A stream that may be over before its request is given to it. */
interface Stream extends RequestDecoder {
  readonly destroyed: boolean;
}

export class DeferredRequests {
  private readonly limit: number;
  private begun = 0;
  private waiting: DeferredRequest[] = [];

  /** Undefined where there is no limit. */
  static create(runtime: Runtime): DeferredRequests | undefined {
    const limit = runtime.getInteger(MAX_REQUESTS_PER_IO_CYCLE, 0);
    return limit > 0 ? new DeferredRequests(limit) : undefined;
  }

  private constructor(limit: number) {
    this.limit = limit;
  }

  onRead(): void {
    this.begun = 0;
  }

  /** Who gets the request of a new stream from the codec: the stream itself, or somebody who keeps it for a while. */
  decoderOf(stream: Stream): RequestDecoder {
    // Those who wait already come first.
    if (this.waiting.length === 0 && ++this.begun <= this.limit) return stream;
    const request = new DeferredRequest(stream);
    if (this.waiting.push(request) === 1) setImmediate(processWaiting, this);
    return request;
  }

  process(): void {
    const batch = this.waiting.splice(0, this.limit);
    for (const request of batch) request.process();
    if (this.waiting.length > 0) setImmediate(processWaiting, this);
  }
}

function processWaiting(requests: DeferredRequests): void {
  enter();
  try {
    requests.process();
  } finally {
    leave();
  }
}

/** What has come of a request, until it is given to its stream. */
class DeferredRequest implements RequestDecoder {
  private readonly stream: Stream;
  private processed = false;
  private headers: RequestHeaderMap | undefined = undefined;
  private body: BodyBuffer | undefined = undefined;
  private trailers: TrailerMap | undefined = undefined;
  private ended = false;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  process(): void {
    const { stream, headers, body, trailers, ended } = this;
    this.processed = true;
    if (headers === undefined || stream.destroyed) return;
    stream.onRequestHeaders(headers, ended && body === undefined && trailers === undefined);
    if (body !== undefined) {
      const bytes = body.take();
      stream.onData(bytes, 0, bytes.length, ended && trailers === undefined);
    }
    if (trailers !== undefined) stream.onRequestTrailers(trailers);
  }

  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    if (this.processed) {
      this.stream.onRequestHeaders(headers, endStream);
      return;
    }
    this.headers = headers;
    this.ended = endStream;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.processed) {
      this.stream.onData(bytes, start, end, endStream);
      return;
    }
    (this.body ??= new BodyBuffer()).add(bytes, start, end);
    this.ended = endStream;
  }

  onRequestTrailers(trailers: TrailerMap): void {
    if (this.processed) {
      this.stream.onRequestTrailers(trailers);
      return;
    }
    this.trailers = trailers;
    this.ended = true;
  }

  onResetStream(reason: StreamResetReason, details: string): void {
    this.stream.onResetStream(reason, details);
  }
}
