// What the admin shows of clusters, certificates and the command line, and what draining tells the workers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assignment,
  DYNAMIC,
  edsCluster,
  resource,
  type TestStore,
  testStore,
} from '../../../tests/fakes/config_store.ts';
import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import {
  BREAKER_SLOTS,
  DEFAULT_THRESHOLDS,
  SharedResourceManager,
} from '../../common/upstream/resource_manager.ts';
import { parseCommandLine } from '../bootstrap/command_line.ts';
import { ClusterStats } from '../stats/cluster_stats.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { CertificatesInUse } from './certificates_in_use.ts';
import { clusterStatuses } from './cluster_status.ts';
import { commandLineOptions } from './command_line_options.ts';
import { ListenerDrain } from './drain_listeners.ts';
import { ServerState } from './server_state.ts';

const CERTS = new URL('../../../tests/fixtures/certs/', import.meta.url).pathname;

function started(): TestStore {
  const parts = testStore(DYNAMIC);
  parts.store.loadStatic();
  parts.store.start(() => undefined);
  parts.subscriptions.answer('Cluster/*', []);
  parts.subscriptions.answer('Listener/*', []);
  return parts;
}

test('a cluster shows its limits, and its hosts with what the workers counted', () => {
  const { store, subscriptions } = started();
  const thresholds = [{ max_connections: 5 }, { priority: 'HIGH', max_retries: 9 }];
  subscriptions.answer('Cluster/*', [edsCluster('a', { circuit_breakers: { thresholds } })]);
  assert.deepEqual([...clusterStatuses(store)], [], 'it has no endpoints yet');
  subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1, 2)]);
  const second = store.clusters.get('a')!.hostSlots[1]!;
  store.hostSlots.table.view(second)[second + HostSlot.RequestTotal] = 7;
  const [status] = [...clusterStatuses(store)];
  assert.ok(status);
  assert.deepEqual(
    [status.name, status.edsServiceName, status.addedViaApi, status.defaultPriority.maxConnections],
    ['a', 'a', true, 5],
  );
  assert.deepEqual([status.highPriority.maxRetries, status.highPriority.maxConnections], [9, 1024]);
  const hosts = [...status.hosts].map(({ description: { address, table, slot } }) => [
    address.text,
    table[slot + HostSlot.RequestTotal],
  ]);
  assert.deepEqual(hosts, [
    ['10.0.0.1:80', 0],
    ['10.0.0.2:80', 7],
  ]);
  store.close();
});

test('the stats of a cluster are listed from its first to its last day', () => {
  const { store, subscriptions } = started();
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main', message));
  new ClusterStats(store, aggregator, stats);
  const read = (name: string): number | undefined => aggregator.value(`cluster.a.${name}`);
  assert.equal(read('upstream_rq_total'), undefined);
  subscriptions.answer('Cluster/*', [edsCluster('a')]);
  subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1, 2)]);
  assert.deepEqual([read('upstream_rq_total'), read('circuit_breakers.high.cx_open')], [0, 0]);
  assert.deepEqual(
    [read('membership_total'), read('membership_healthy'), read('membership_change')],
    [2, 2, 1],
  );
  const [slot = 0] = store.clusters.get('a')!.hostSlots;
  subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1, 3, 4)]);
  store.hostSlots.table.view(slot)[slot + HostSlot.HealthFlags] = HostHealthFlag.DegradedActiveHc;
  assert.deepEqual(
    [read('membership_total'), read('membership_healthy'), read('membership_change')],
    [3, 2, 2],
  );
  assert.equal(read('membership_degraded'), 1);
  subscriptions.answer('Cluster/*', [], { removed: ['a'] });
  assert.deepEqual([read('upstream_rq_total'), read('membership_total')], [undefined, undefined]);
  store.close();
});

test('a circuit breaker that is open shows, and what remains where it is tracked', () => {
  const { store, subscriptions } = started();
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main', message));
  new ClusterStats(store, aggregator, stats);
  const thresholds = [{ max_connections: 2, track_remaining: true }];
  subscriptions.answer('Cluster/*', [resource('cluster', { name: 'a', circuit_breakers: { thresholds } })]);
  const read = (): (number | undefined)[] =>
    ['default.cx_open', 'default.remaining_cx', 'default.rq_open', 'high.cx_open', 'high.remaining_cx'].map(
      (name) => aggregator.value(`cluster.a.circuit_breakers.${name}`),
    );
  assert.deepEqual(read(), [0, 2, 0, 0, undefined]);
  const slot = store.clusters.get('a')!.breakerSlot;
  const worker = new SharedResourceManager(
    { ...DEFAULT_THRESHOLDS, maxConnections: 2 },
    store.breakerSlots.table.view(slot),
    new Int32Array(BREAKER_SLOTS),
    slot,
  );
  worker.acquireConnection();
  assert.deepEqual(read(), [0, 1, 0, 0, undefined]);
  worker.acquireConnection();
  assert.deepEqual(read(), [1, 0, 0, 0, undefined]);
  worker.releaseConnection();
  assert.deepEqual(read(), [0, 1, 0, 0, undefined]);
  store.close();
});

test('certificates are those of active clusters and listeners, by context', () => {
  const { store, subscriptions } = started();
  const certificates = new CertificatesInUse(store);
  assert.deepEqual([certificates.all(), certificates.daysUntilFirstExpiring()], [[], undefined]);
  const tls = {
    name: 'tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { filename: `${CERTS}server.pem` },
            private_key: { filename: `${CERTS}server.key` },
          },
        ],
        validation_context: { trusted_ca: { filename: `${CERTS}ca.pem` } },
      },
    },
  };
  for (const name of ['a', 'b', 'plain']) {
    const transport_socket = name === 'plain' ? undefined : tls;
    subscriptions.answer('Cluster/*', [
      resource('cluster', { name, ...(transport_socket && { transport_socket }) }),
    ]);
  }
  const contexts = certificates.all();
  // Every answer has all clusters: the last one is without TLS.
  assert.ok(contexts.length > 0);
  for (const {
    cert_chain: [own],
    ca_cert: [roots],
  } of contexts) {
    assert.equal(own?.path, `${CERTS}server.pem`);
    assert.match(own.serial_number, /^[0-9a-f]+$/);
    assert.ok(own.subject_alt_names.length > 0);
    assert.equal(roots?.path, `${CERTS}ca.pem`);
  }
  for (const name of ['unnamed_cert_e3b0c442', 'unnamed_ca_cert_e3b0c442']) {
    const stat = `cluster.a.ssl.certificate.${name}.expiration_unix_time_seconds`;
    assert.ok((certificates.expirations().get(stat) ?? 0) > Date.now() / 1000);
  }
  assert.ok((certificates.daysUntilFirstExpiring() ?? 0) > 0);
  store.close();
});

test('the state goes from nothing to LIVE, and to DRAINING when health checks are to fail', () => {
  const progress = { clustersInitialized: false };
  const state = new ServerState(progress);
  assert.equal(state.current, 'PRE_INITIALIZING');
  progress.clustersInitialized = true;
  assert.equal(state.current, 'INITIALIZING');
  state.serving = true;
  assert.equal(state.current, 'LIVE');
  state.live = false;
  assert.equal(state.current, 'DRAINING');
});

describe('/drain_listeners', () => {
  function drain(): { readonly told: unknown[]; readonly drain: ListenerDrain } {
    const told: unknown[] = [];
    const supervisor = { drain: (...args: unknown[]) => told.push(args) } as unknown as Supervisor;
    return { told, drain: new ListenerDrain(supervisor, 5000) };
  }
  const all = { inboundOnly: false, graceful: false, skipExit: false };

  test('closes at once', () => {
    const { told, drain: listeners } = drain();
    listeners.start({ ...all, inboundOnly: true });
    assert.deepEqual(told, [['inboundonly', false, true]]);
  });

  test('graceful closes after the drain time, once', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { told, drain: listeners } = drain();
    listeners.start({ ...all, graceful: true });
    listeners.start({ ...all, graceful: true });
    assert.deepEqual(told, [['all', true, false]]);
    t.mock.timers.tick(5000);
    assert.deepEqual(told.slice(1), [['all', true, true]]);
  });

  test('skip_exit leaves the listeners open', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { told, drain: listeners } = drain();
    listeners.start({ ...all, graceful: true, skipExit: true });
    t.mock.timers.tick(5000);
    assert.deepEqual(told, [['all', true, false]]);
  });
});

test('the command line as /server_info has it', () => {
  const parsed = parseCommandLine(
    '-c a.yaml --drain-strategy immediate --socket-mode 600 --disable-hot-restart --stats-tag a:b'.split(' '),
  );
  assert.ok(parsed.type === 'run');
  const shown = commandLineOptions(parsed.options);
  assert.deepEqual(
    [shown.config_path, shown.drain_strategy, shown.socket_mode, shown.disable_hot_restart, shown.stats_tag],
    ['a.yaml', 'Immediate', 0o600, true, ['a:b']],
  );
  assert.deepEqual(
    [shown.mode, shown.socket_path, shown.drain_time?.seconds],
    ['Serve', '@envoy_domain_socket', 600n],
  );
});
