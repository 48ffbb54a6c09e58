// Recorded istiod streams against the client: for every recorded response it must send what the recorded client sent
// (the same type, names, version, nonce, ACK or NACK). Interest comes from the recording; the configuration store's own
// replay is in its tests.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setLogLevel } from '../../server/common/log.ts';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { decode } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';
import { CDS, type Client, client, LDS, type Recorder, xdsCluster } from './harness.ts';
import {
  type RecordedMessage,
  type RecordedStream,
  recordedStreams,
  skipWithoutRecordings,
} from './recorded_stream.ts';

setLogLevel('config', 'off');

type Request = DiscoveryRequest | DeltaDiscoveryRequest;

const WILDCARD_TYPES = new Set([CDS, LDS]);
/** Asked for by Istio's agent, never by a proxy. */
const AGENT_ONLY = new Set(['NDS', 'PCDS']);

/** What two requests must have in common. */
interface Substance {
  readonly type: string;
  readonly nonce: string;
  readonly error: boolean;
  readonly names: readonly string[];
  readonly unsubscribe: readonly string[];
  /** State of the world only: '' on a delta stream. */
  readonly version: string;
}

function substance(request: Request): Substance {
  const delta = 'resource_names_subscribe' in request;
  return {
    type: request.type_url,
    nonce: request.response_nonce,
    error: request.error_detail !== undefined,
    names: [...(delta ? request.resource_names_subscribe : request.resource_names)].sort(),
    unsubscribe: delta ? [...request.resource_names_unsubscribe].sort() : [],
    version: delta ? '' : request.version_info,
  };
}

class Replay {
  readonly #stream: RecordedStream;
  readonly #server: FakeXdsServer<Request>;
  readonly #xds: Client;
  readonly #recorders = new Map<string, Recorder>();
  readonly #interest = new Map<string, Set<string>>();

  constructor(stream: RecordedStream, server: FakeXdsServer<Request>, xds: Client) {
    this.#stream = stream;
    this.#server = server;
    this.#xds = xds;
  }

  async run(): Promise<void> {
    const messages = this.#stream.messages.filter(({ type }) => !AGENT_ONLY.has(type));
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index]!;
      if (message.dir === 'recv') {
        this.#prepareNack(message, messages[index + 1]);
        this.#server.streams.at(-1)!.sendBytes(message.bytes);
      } else if (message.step === 'reconnect' && this.#server.streams.length === 1) {
        index += await this.#reconnect(messages.slice(index));
      } else await this.#expect(message);
    }
    await this.#server.expectSilence(30);
  }

  /** The recorded client refused what came; so does ours. */
  #prepareNack(response: RecordedMessage, answer: RecordedMessage | undefined): void {
    for (const recorder of this.#recorders.values()) recorder.refuse.clear();
    if (answer?.nack !== true) return;
    const recorder = this.#recorders.get(this.#decode(answer).type_url)!;
    recorder.onUpdate = ({ added }) => {
      for (const name of added)
        recorder.refuse.set(name, { name, path: '', reason: `refused in ${response.step}` });
      recorder.onUpdate = () => {};
    };
  }

  async #expect(message: RecordedMessage): Promise<void> {
    const request = this.#decode(message);
    this.#follow(request);
    const ours = await this.#server.next();
    assert.deepEqual(substance(ours.request), substance(request), `${this.#stream.name} ${message.seq}`);
  }

  /** Cuts the stream; ours asks for the same, in its own order. Returns how many more messages that was. */
  async #reconnect(rest: readonly RecordedMessage[]): Promise<number> {
    const count = rest.findIndex((message) => message.dir === 'recv');
    const recorded = rest.slice(0, count).map((message) => this.#decode(message));
    this.#server.streams[0]!.end();
    const ours: Request[] = [];
    while (ours.length < count) ours.push((await this.#server.next()).request);
    const byType = (a: Substance, b: Substance): number => (a.type < b.type ? -1 : 1);
    assert.deepEqual(
      ours
        .map(substance)
        .sort(byType)
        .map(({ version: _, ...request }) => request),
      recorded
        .map(substance)
        .sort(byType)
        .map(({ version: _, ...request }) => request),
    );
    for (const request of ours) {
      if (!('initial_resource_versions' in request)) continue;
      const names = Object.keys(request.initial_resource_versions);
      assert.ok(names.length > 0, `${request.type_url} had resources in force`);
      // Their names count as subscriptions with istiod: none may be there that is not wanted any more.
      const wanted = this.#interest.get(request.type_url);
      if (wanted !== undefined)
        assert.deepEqual(
          names.filter((name) => !wanted.has(name)),
          [],
        );
    }
    return count - 1;
  }

  /** Makes our client want what the recorded one wanted when it sent this. */
  #follow(request: Request): void {
    const wildcard = WILDCARD_TYPES.has(request.type_url);
    const wanted = wildcard ? undefined : this.#wantedNames(request);
    const recorder = this.#recorders.get(request.type_url);
    if (recorder === undefined) {
      this.#recorders.set(request.type_url, this.#xds.subscribe(request.type_url, wanted && [...wanted]));
    } else if (wanted !== undefined) recorder.interest([...wanted]);
  }

  #wantedNames(request: Request): Set<string> {
    const delta = 'resource_names_subscribe' in request;
    const before = this.#interest.get(request.type_url) ?? new Set();
    const wanted = delta
      ? before
          .union(new Set(request.resource_names_subscribe))
          .difference(new Set(request.resource_names_unsubscribe))
      : new Set(request.resource_names);
    this.#interest.set(request.type_url, wanted);
    return wanted;
  }

  #decode(message: RecordedMessage): Request {
    const prefix = this.#stream.dialect === 'delta' ? 'Delta' : '';
    return decode<Request>(`envoy.service.discovery.v3.${prefix}DiscoveryRequest`, message.bytes);
  }
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

describe('recorded istiod streams', () => {
  test('all recordings', (context) => {
    skipWithoutRecordings(context);
  });
  for (const stream of recordedStreams()) {
    test(stream.name, async () => {
      const delta = stream.dialect === 'delta';
      const server = delta ? await FakeXdsServer.delta() : await FakeXdsServer.sotw();
      const xds = client(xdsCluster(server.address), delta ? 'DELTA_GRPC' : 'GRPC');
      closers.push(
        () => xds.close(),
        () => server.close(),
      );
      await new Replay(stream, server as FakeXdsServer<Request>, xds).run();
    });
  }
});
