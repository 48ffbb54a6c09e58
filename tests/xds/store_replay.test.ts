// Recorded istiod streams through the real client into the real configuration store, with the real compilers: what a
// vanilla istiod sends is ACKed in full and everything goes active; of the others, each NACK is in the table below.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { Control } from '../../server/main/control.ts';
import type { ResourceUpdate } from '../../server/messages.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { decode } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';
import { type RecordedMessage, type RecordedStream, recordedStreams } from './recorded_stream.ts';
import { closeAll, closeLater, inactive, sdsServer, settled, start, until } from './store_harness.ts';

type Request = DiscoveryRequest | DeltaDiscoveryRequest;
type Response = DiscoveryResponse | DeltaDiscoveryResponse;

/** What the streams of meshes with policies hold and this version does not have yet: the reasons of all their NACKs. */
const NOT_YET: readonly string[] = [
  // Filters.
  "with type URL: 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz'",
  "with type URL: 'envoy.extensions.filters.http.lua.v3.Lua'",
];

afterEach(closeAll);

for (const stream of recordedStreams()) {
  const vanilla = stream.name.startsWith('vanilla-');
  test(`the store takes ${stream.name}${vanilla ? ' in full' : ', but for what is not there yet'}`, async () => {
    const server = stream.dialect === 'delta' ? await FakeXdsServer.delta() : await FakeXdsServer.sotw();
    const secrets = await sdsServer();
    closeLater(() => server.close());
    const updates: ResourceUpdate[] = [];
    const control = start(stream.dialect, server.address, secrets.address, updates);
    const nacks = await replay(stream, server as FakeXdsServer<Request>, vanilla);
    await settled(control);
    const refused = refusals(control);
    assert.equal(nacks.length > 0, refused.length > 0);
    if (vanilla) {
      assert.deepEqual(refused, []);
      assert.deepEqual(inactive(control), []);
    } else {
      const unexpected = refused.filter((reason) => !NOT_YET.some((known) => reason.includes(known)));
      assert.deepEqual([...new Set(unexpected)].sort(), []);
    }
  });
}

/**
 * Sends what istiod sent, each response once its type is asked for; the errors of the NACKs.
 * Where not all is taken, a type may never be asked for: of listeners that were refused nobody wants the routes.
 */
async function replay(
  stream: RecordedStream,
  server: FakeXdsServer<Request>,
  complete: boolean,
): Promise<string[]> {
  const nacks: string[] = [];
  let step = 'initial';
  for (const message of stream.messages) {
    if (message.dir !== 'recv' || message.type === 'NDS' || message.type === 'PCDS') continue;
    const response = decodeResponse(stream, message);
    if (message.step === 'reconnect' && step !== 'reconnect') {
      server.streams.at(-1)!.end();
      await until(() => server.streams.length === 2, 'the client comes back');
    }
    step = message.step;
    const asked = await until(
      () =>
        server.requests.find(
          (one) => one.stream === server.streams.at(-1) && one.request.type_url === response.type_url,
        ),
      () => `${stream.name} ${message.seq}: a request for ${message.type}, after NACKs ${nacks.join('\n')}`,
      complete ? 5000 : 100,
    ).catch((error: Error) => {
      if (complete) throw error;
    });
    if (asked === undefined) continue;
    asked.stream.sendBytes(message.bytes);
    const answer = await until(
      () => server.requests.find(({ request }) => request.response_nonce === response.nonce),
      `${stream.name} ${message.seq}: an answer to ${message.type}`,
    );
    const error = answer.request.error_detail;
    if (error !== undefined) nacks.push(`${message.step} ${message.type}: ${error.message}`);
  }
  return nacks;
}

function decodeResponse(stream: RecordedStream, { bytes }: RecordedMessage): Response {
  return stream.dialect === 'delta'
    ? decode('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes)
    : decode('envoy.service.discovery.v3.DiscoveryResponse', bytes);
}

/** Why resources were refused, as `path: reason` without indices. */
function refusals({ store }: Control): string[] {
  const errors = [...store.history.all()].flatMap(({ error }) => (error === undefined ? [] : [error]));
  return errors.map(({ path, reason }) => `${path.replace(/\[\d+\]/g, '')}: ${reason}`);
}
