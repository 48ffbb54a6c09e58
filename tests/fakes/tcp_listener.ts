// A listener with one filter chain and clusters of its own, on real sockets, in this thread: network filters as a worker
// runs them, with stats and access log lines within the test's reach.

import net, { type AddressInfo } from 'node:net';
import { HOST_SLOTS } from '../../server/api/upstream/host.ts';
import { ipAddress } from '../../server/common/network/address.ts';
import { newConnectionId, SocketConnection } from '../../server/common/network/connection.ts';
import { NetworkFilterManager } from '../../server/common/network/filter_manager.ts';
import { PrivateReadBuffer, takeHandle, wrapHandle } from '../../server/common/network/socket.ts';
import { ExtensionRegistry } from '../../server/common/registry.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { compileCluster } from '../../server/common/upstream/cluster_config.ts';
import { compileLoadAssignment } from '../../server/common/upstream/load_assignment.ts';
import { BREAKER_SLOTS } from '../../server/common/upstream/resource_manager.ts';
import { ThreadLocalCluster } from '../../server/common/upstream/thread_local_cluster.ts';
import { ALL_EXTENSIONS } from '../../server/extensions/all_extensions.ts';
import type { Cluster as ClusterMessage } from '../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { Filter } from '../../xds-protos/generated/envoy/config/listener/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { FakeStatStore, fakeFactoryContext } from './factory_context.ts';

export interface TcpListenerOptions {
  /** Network filters, as JSON. */
  readonly filters: readonly object[];
  /** Clusters, as JSON. */
  readonly clusters: readonly object[];
  readonly bufferLimit?: number;
  /** Sees each connection before its filters. */
  readonly onConnection?: (connection: SocketConnection) => void;
}

export class TcpListener {
  readonly stats = new FakeStatStore();
  readonly clusters = new Map<string, ThreadLocalCluster>();
  readonly connections = new Set<SocketConnection>();
  /** What access logs wrote. */
  log = '';
  port = 0;
  private readonly server: net.Server;

  private constructor({ filters, clusters, bufferLimit = 1 << 20, onConnection }: TcpListenerOptions) {
    const context = fakeFactoryContext({
      stats: this.stats,
      registry: new ExtensionRegistry(ALL_EXTENSIONS),
      clusterManager: { getCluster: (name) => this.clusters.get(name) },
      logFiles: { open: () => ({ write: (line) => (this.log += line) }) },
    });
    for (const json of clusters) {
      const message = fromJson<ClusterMessage>('envoy.config.cluster.v3.Cluster', json as never);
      const breakers = {
        table: new Int32Array(BREAKER_SLOTS),
        held: new Int32Array(BREAKER_SLOTS),
        slot: 0,
        number: 0,
      };
      const config = compileCluster(message, context, '');
      const cluster = new ThreadLocalCluster(config, context, breakers, () => undefined);
      cluster.updateHosts(compileLoadAssignment(message.load_assignment, 'load_assignment'), {
        number: (index) => index,
        slot: (number) => ({
          table: new Int32Array(HOST_SLOTS),
          held: new Int32Array(HOST_SLOTS),
          slot: 0,
          number,
        }),
      });
      this.clusters.set(cluster.name, cluster);
    }
    const configs = filters.map((json) => {
      const filter = fromJson<Filter>('envoy.config.listener.v3.Filter', json as never);
      const resolved = context.registry.resolve(
        'envoy.filters.network',
        filter.name,
        filter.typed_config,
        '',
      );
      return resolved.factory.compile(resolved.config, context, '');
    });
    const bulk = configs.at(-1)?.bulk === true;
    this.server = net.createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (accepted) => {
        const remote = ipAddress(accepted.remoteAddress!, accepted.remotePort!);
        const local = ipAddress(accepted.localAddress!, accepted.localPort!);
        const privateBuffer = bulk ? new PrivateReadBuffer(bufferLimit) : undefined;
        const readable = wrapHandle(takeHandle(accepted)!, Math.min(bufferLimit, 65_536), privateBuffer);
        const info = new ConnectionInfoRecord(
          newConnectionId(),
          remote,
          local,
          'listener',
          Date.now(),
          performance.now(),
        );
        const connection = new SocketConnection(readable.socket, info, bufferLimit);
        connection.privateBuffer = privateBuffer;
        readable.setReader(connection);
        this.connections.add(connection);
        connection.addConnectionCallbacks({ onEvent: () => void this.connections.delete(connection) });
        onConnection?.(connection);
        NetworkFilterManager.install(connection, configs);
        if (connection.state === 'open' && !connection.readDisabled) readable.start();
      },
    );
  }

  static async start(options: TcpListenerOptions): Promise<TcpListener> {
    const listener = new TcpListener(options);
    await new Promise<void>((resolve) => listener.server.listen(0, '127.0.0.1', resolve));
    listener.port = (listener.server.address() as AddressInfo).port;
    return listener;
  }

  /** Cuts what is open. */
  stop(): void {
    for (const connection of this.connections) connection.close('NoFlush');
    // Its callback would wait for the accepted sockets, whose handles have moved to others.
    this.server.close();
  }
}
