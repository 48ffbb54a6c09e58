// The health discovery service: a control plane says which hosts to check and how, and is told the results again and again.
// Envoy: source/common/upstream/health_discovery_service.cc (HdsDelegate); document: service.health.v3.

import type { ApiConfigSource, Node } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { HealthCheckSpecifier } from '../../../xds-protos/generated/envoy/service/health/v3.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { assertValid } from '../../../xds-protos/validate.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import { statSchema } from '../../common/stats/schema.ts';
import type { CompileEnvironment } from '../config_store/main_factory_context.ts';
import type { HealthCheckServices } from '../health_checks/cluster_health_checks.ts';
import { checkGrpcSource } from '../xds/api_config_source.ts';
import { JitteredExponentialBackOff } from '../xds/backoff.ts';
import { GrpcChannel } from '../xds/grpc_channel.ts';
import { GrpcStream, type GrpcStreamCallbacks } from '../xds/grpc_stream.ts';
import { type ClusterLookup, compileGrpcTarget, streamBackOff } from '../xds/grpc_target.ts';
import { CheckedCluster } from './checked_cluster.ts';

const log = logger('upstream');

const METHOD = '/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck';
const ANSWER = 'envoy.service.health.v3.HealthCheckRequestOrEndpointHealthResponse';
const SPECIFIER = 'envoy.service.health.v3.HealthCheckSpecifier';
/** Source: HealthCheckSpecifier.interval. */
const DEFAULT_INTERVAL_MS = 1000;

/** https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/health_checkers (hds) */
export const HDS_STATS = statSchema('hds_delegate', {
  errors: 'counter',
  requests: 'counter',
  responses: 'counter',
  updates: 'counter',
});
const STAT = HDS_STATS.offset;

export interface HealthDiscoveryOptions {
  readonly source: ApiConfigSource;
  readonly node: Node;
  readonly clusters: ClusterLookup;
  readonly services: Omit<HealthCheckServices, 'transport' | 'secrets'>;
  readonly environment: CompileEnvironment;
}

export class HealthDiscovery implements GrpcStreamCallbacks {
  readonly #options: HealthDiscoveryOptions;
  readonly #block: StatBlock;
  readonly #channel: GrpcChannel;
  readonly #stream: GrpcStream;
  #clusters = new Map<string, CheckedCluster>();
  #specifier: Buffer = Buffer.alloc(0);
  #intervalMs = DEFAULT_INTERVAL_MS;
  #timer: NodeJS.Timeout | undefined;

  /** Throws ConfigError for a source that cannot be honoured. */
  constructor(options: HealthDiscoveryOptions) {
    const path = 'hds_config';
    const { source, services } = options;
    if (source.api_type !== 'GRPC')
      throw new ConfigError(at(path, 'api_type'), 'health discovery needs a gRPC service of its own');
    checkGrpcSource(source, path);
    const [service] = source.grpc_services;
    const where = at(at(path, 'grpc_services'), 0);
    if (service === undefined) throw new ConfigError(where, 'a gRPC service is required');
    this.#options = options;
    this.#channel = new GrpcChannel(compileGrpcTarget(service, options.clusters, where));
    this.#block = services.stats.block(HDS_STATS, 'hds_delegate.');
    const { baseMs, maxMs } = streamBackOff(service);
    this.#stream = new GrpcStream(this.#channel, METHOD, new JitteredExponentialBackOff(baseMs, maxMs), this);
  }

  start(): void {
    this.#stream.start();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream.close();
    this.#channel.close();
    for (const cluster of this.#clusters.values()) cluster.close();
    this.#clusters.clear();
  }

  // ---- GrpcStreamCallbacks -------------------------------------------------------------------------------------------

  onStreamStarted(): void {
    const capability = { health_check_protocols: ['HTTP', 'TCP'] };
    // A new stream is a new conversation.
    this.#specifier = Buffer.alloc(0);
    this.#send({ health_check_request: { node: this.#options.node, capability } });
  }

  onConnected(): void {
    // What is to be said was sent when the stream began.
  }

  onMessage(bytes: Uint8Array): void {
    const specifier = decode(SPECIFIER, bytes);
    this.#count(STAT.requests);
    try {
      assertValid(SPECIFIER, specifier);
      if (!this.#specifier.equals(bytes)) this.#apply(specifier);
      this.#specifier = Buffer.from(bytes);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#count(STAT.errors);
      log.warning(`what the health discovery service asks for cannot be done: ${error.message}`);
    }
    this.#intervalMs = durationMs(specifier.interval) ?? DEFAULT_INTERVAL_MS;
    this.#arm();
  }

  onStreamClosed(): void {
    this.#count(STAT.errors);
    clearTimeout(this.#timer);
  }

  // ---- clusters and results ------------------------------------------------------------------------------------------

  /** Throws ConfigError, and everything stays as it was. */
  #apply({ cluster_health_checks: wanted }: HealthCheckSpecifier): void {
    const { services, environment } = this.#options;
    const next = new Map<string, CheckedCluster>();
    const made: CheckedCluster[] = [];
    try {
      wanted.forEach((config, i) => {
        const path = at('cluster_health_checks', i);
        const name = config.cluster_name;
        if (next.has(name)) throw new ConfigError(at(path, 'cluster_name'), `duplicate cluster '${name}'`);
        const known = this.#clusters.get(name);
        if (known?.update(config, path) === true) {
          next.set(name, known);
          return;
        }
        const cluster = new CheckedCluster(config, services, environment, path);
        made.push(cluster);
        next.set(name, cluster);
      });
    } catch (error) {
      for (const cluster of made) cluster.close();
      throw error;
    }
    for (const [name, cluster] of this.#clusters) if (next.get(name) !== cluster) cluster.close();
    this.#clusters = next;
    this.#count(STAT.updates);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#report();
      this.#arm();
    }, this.#intervalMs).unref();
  }

  #report(): void {
    const clusters = [...this.#clusters.values()].map((cluster) => cluster.health());
    // The same without clusters, as older control planes read it.
    const all = clusters.flatMap(({ locality_endpoints_health: localities = [] }) =>
      localities.flatMap(({ endpoints_health: each = [] }) => each),
    );
    this.#send({
      endpoint_health_response: { endpoints_health: all, cluster_endpoints_health: clusters },
    });
  }

  #send(answer: object): void {
    if (!this.#stream.open) return;
    this.#count(STAT.responses);
    this.#stream.send(encode(ANSWER, answer));
  }

  #count(stat: number): void {
    const { values, base } = this.#block;
    values[base + stat]!++;
  }
}
