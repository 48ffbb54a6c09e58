// Whatever subscriptions come and go, and whatever a server sends: the server knows exactly what is wanted, every response gets
// one answer, and no bytes end anything but their own stream.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { create, encode, encodeAny } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import { setLogLevel } from '../../common/log.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { ConfigWatch } from './config_watch.ts';
import { DELTA, DeltaState } from './delta_state.ts';
import { DiscoveryError } from './discovery_error.ts';
import { resourceName, resourceType } from './resource_types.ts';
import { SOTW, SotwState } from './sotw_state.ts';
import { SubscriptionStats } from './subscription_stats.ts';

setLogLevel('config', 'off');

const RDS = resourceType('envoy.config.route.v3.RouteConfiguration');
const NAMES = ['a', 'b', 'c', 'd'];
const stats = new ThreadStatStore(() => {});

const newWatch = (refuse = false): ConfigWatch =>
  new ConfigWatch(
    {
      onConfigUpdate: (added) => (refuse ? added.map(({ name }) => ({ name, path: 'x', reason: 'no' })) : []),
      onConfigUpdateFailed: () => {},
    },
    new SubscriptionStats(stats, 'property'),
    0,
  );

/** A watch's new interest: some names, the wildcard, or gone. */
const change = fc.record({
  watch: fc.nat(2),
  names: fc.oneof(fc.subarray(NAMES), fc.constant('wildcard' as const), fc.constant('gone' as const)),
  flush: fc.boolean(),
  reset: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Plays changes against a state; `tell` is the server hearing each request, `known` what it then believes. */
function play<Request extends object>(
  changes: readonly Change[],
  state: {
    watches: SotwState['watches'];
    pending: boolean;
    takeRequest(): Request;
    onStreamReset(): void;
  },
  server: { reset(): void; tell(request: Request): void; known(): Set<string> },
): void {
  const watches = [newWatch(), newWatch(), newWatch()];
  const wanted = new Map<number, ReadonlySet<string> | undefined>();
  for (const { watch, names, flush, reset } of changes) {
    if (names === 'gone') {
      wanted.delete(watch);
      state.watches.delete(watches[watch]!);
    } else {
      const interest = names === 'wildcard' ? undefined : new Set(names);
      wanted.set(watch, interest);
      state.watches.set(watches[watch]!, interest);
    }
    if (reset) {
      state.onStreamReset();
      server.reset();
    }
    if (!flush && !reset) continue;
    while (state.pending) server.tell(state.takeRequest());
    const union = new Set<string>();
    for (const interest of wanted.values()) {
      if (interest === undefined) union.add('*');
      else for (const name of interest) union.add(name);
    }
    assert.deepEqual([...server.known()].sort(), [...union].sort());
  }
  for (const watch of watches) watch.close();
}

test('delta: the server believes what is wanted', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let known: Set<string> | undefined;
      play<Init<DeltaDiscoveryRequest>>(changes, new DeltaState(RDS, () => {}), {
        reset: () => {
          known = undefined;
        },
        tell: (request) => {
          const subscribe = [...(request.resource_names_subscribe ?? [])] as string[];
          if (known === undefined) known = new Set(subscribe.length === 0 ? ['*'] : []);
          for (const name of subscribe) known.add(name);
          for (const name of (request.resource_names_unsubscribe ?? []) as string[]) {
            assert.ok(known.delete(name), `${name} was never subscribed`);
          }
        },
        known: () => known ?? new Set(),
      });
    }),
  );
});

test('state of the world: the server believes what is wanted', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let known: Set<string> | undefined;
      let named = false;
      // The empty list that began a wildcard cannot be taken back: nobody leaves such a wildcard here.
      const kept = changes.filter(({ names }) => names !== 'wildcard' && names.length > 0);
      play<Init<DiscoveryRequest>>(kept, new SotwState(RDS, () => {}), {
        reset: () => {
          known = undefined;
          named = false;
        },
        tell: (request) => {
          const names = [...(request.resource_names ?? [])] as string[];
          if (names.length > 0) named = true;
          known = new Set(names.length === 0 && !named ? ['*'] : names);
        },
        known: () => known ?? new Set(),
      });
    }),
  );
});

test('every response gets one answer with its nonce, in order, whatever is in it', () => {
  const resource = fc.record({ name: fc.constantFrom(...NAMES, ''), body: fc.boolean(), ttl: fc.nat(3) });
  const response = fc.record({
    resources: fc.array(resource, { maxLength: 4 }),
    removed: fc.array(fc.constantFrom(...NAMES), { maxLength: 2 }),
    refuse: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(response, { minLength: 1, maxLength: 5 }), (responses) => {
      for (const dialect of ['sotw', 'delta'] as const) {
        const state = dialect === 'sotw' ? new SotwState(RDS, () => {}) : new DeltaState(RDS, () => {});
        const watch = newWatch(responses[0]!.refuse);
        state.watches.set(watch, new Set(['a', 'b']));
        state.takeRequest();
        for (const [index, { resources, removed }] of responses.entries()) {
          const nonce = String(index);
          const wrapped = resources.map(({ name, body, ttl }) => ({
            name,
            ttl: { seconds: BigInt(ttl) },
            resource: body ? encodeAny('envoy.config.route.v3.RouteConfiguration', { name }) : undefined,
          }));
          if (state instanceof DeltaState) {
            const head = { type_url: RDS.typeUrl, nonce, removed_resources: removed };
            state.onResponse(
              create('envoy.service.discovery.v3.DeltaDiscoveryResponse', { ...head, resources: wrapped }),
            );
          } else {
            const anys = wrapped.map((each) => encodeAny('envoy.service.discovery.v3.Resource', each));
            const head = { type_url: RDS.typeUrl, nonce, version_info: nonce };
            state.onResponse(
              create('envoy.service.discovery.v3.DiscoveryResponse', { ...head, resources: anys }),
            );
          }
        }
        for (const index of responses.keys()) {
          assert.ok(state.pending);
          assert.equal(state.takeRequest().response_nonce, String(index));
        }
        assert.equal(state.pending, false);
        state.close();
      }
    }),
  );
});

test('no bytes throw anything but a DecodeError', () => {
  const good = encode('envoy.service.discovery.v3.DiscoveryResponse', {
    type_url: RDS.typeUrl,
    nonce: 'n',
    resources: [
      encodeAny('envoy.config.route.v3.RouteConfiguration', { name: 'a' }),
      encodeAny('envoy.service.discovery.v3.Resource', { name: 'b', ttl: { seconds: 1n } }),
    ],
  });
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    .map((edits) => edits.reduce((bytes, [at, value]) => bytes.with(at, value), Uint8Array.from(good)));
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      for (const run of [
        () => new SotwState(RDS, () => {}).onResponse(SOTW.decode(bytes)),
        () => new DeltaState(RDS, () => {}).onResponse(DELTA.decode(bytes)),
        () => resourceName(RDS, bytes),
      ]) {
        try {
          run();
        } catch (error) {
          assert.ok(error instanceof ConfigError || error instanceof DiscoveryError, String(error));
        }
      }
    }),
    { numRuns: 500 },
  );
});
