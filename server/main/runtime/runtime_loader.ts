// The layered runtime of the main thread: static, disk, RTDS and admin layers in the order of the bootstrap, later ones
// over earlier ones. Final values go to the workers. Envoy: source/common/runtime/runtime_impl.cc (LoaderImpl).

import type { Bootstrap, RuntimeLayer } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatStore } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import { flattenLayer } from '../../common/runtime/layer.ts';
import { RuntimeSnapshot, type RuntimeValue, type RuntimeValues } from '../../common/runtime/runtime.ts';
import { statSchema } from '../../common/stats/schema.ts';
import type { Subscription, SubscriptionFactory } from '../xds/subscription.ts';
import { DiskLayer } from './disk_layer.ts';

const log = logger('runtime');

const RUNTIME_STATS = statSchema('runtime', {
  admin_overrides_active: 'gauge',
  deprecated_feature_seen_since_process_start: 'gauge',
  deprecated_feature_use: 'counter',
  load_error: 'counter',
  load_success: 'counter',
  num_keys: 'gauge',
  num_layers: 'gauge',
  override_dir_exists: 'counter',
  override_dir_not_exists: 'counter',
});
const AT = RUNTIME_STATS.offset;
const RUNTIME_TYPE = 'envoy.service.runtime.v3.Runtime';

interface Layer {
  readonly name: string;
  readonly config: RuntimeLayer;
  /** Undefined while a disk layer has no folder, or one that cannot be read: it is no layer then. */
  values: Map<string, RuntimeValue> | undefined;
}

type PresentLayer = Layer & { readonly values: Map<string, RuntimeValue> };

/** One key for /runtime: a value (or '') per layer, and the one in force. */
export interface RuntimeEntry {
  readonly name: string;
  readonly layerValues: readonly string[];
  readonly finalValue: string;
}

export class RuntimeLoader {
  /** What main's own code asks. */
  readonly snapshot = new RuntimeSnapshot();
  readonly #configured: readonly Layer[];
  readonly #publish: (values: RuntimeValues) => void;
  readonly #stats;
  readonly #disks: DiskLayer[] = [];
  /** Those that could not be read the last time. */
  readonly #failed = new Set<Layer>();
  readonly #subscriptions: Subscription[] = [];

  /** `publish` gets all values after each change. Throws ConfigError. */
  constructor(bootstrap: Bootstrap, stats: StatStore, publish: (values: RuntimeValues) => void) {
    this.#publish = publish;
    this.#stats = stats.block(RUNTIME_STATS, 'runtime.');
    this.#configured = compileLayers(bootstrap.layered_runtime?.layers ?? []);
    for (const layer of this.#configured) this.#addDisk(layer, bootstrap.node?.cluster ?? '');
    this.#merge();
  }

  /** Those that have values. */
  get #layers(): readonly PresentLayer[] {
    return this.#configured.filter((layer): layer is PresentLayer => layer.values !== undefined);
  }

  get layerNames(): readonly string[] {
    return this.#layers.map((layer) => layer.name);
  }

  get values(): RuntimeValues {
    const values: Record<string, RuntimeValue> = {};
    for (const layer of this.#layers) for (const [key, value] of layer.values) values[key] = value;
    return values;
  }

  get entries(): readonly RuntimeEntry[] {
    return Object.entries(this.values).map(([name, value]) => ({
      name,
      layerValues: this.#layers.map((layer) => String(layer.values.get(name) ?? '')),
      finalValue: String(value),
    }));
  }

  /** /runtime_modify: sets keys of the admin layer; '' takes a key back. False when the bootstrap has no admin layer. */
  modify(changes: ReadonlyMap<string, string>): boolean {
    const admin = this.#layers.find((layer) => layer.config.admin_layer !== undefined);
    if (admin === undefined) return false;
    for (const [key, value] of changes) {
      if (value === '') admin.values.delete(key);
      else admin.values.set(key, value);
    }
    this.#stats.values[this.#stats.base + AT.admin_overrides_active] = admin.values.size > 0 ? 1 : 0;
    this.#merge();
    return true;
  }

  /** Subscribes the RTDS layers; `ready` is called once each of them has answered or timed out. Throws ConfigError. */
  startRtds(subscriptions: SubscriptionFactory, ready: () => void): void {
    // Once more when everything is there, as Envoy does: values may have changed on disk.
    this.#merge();
    const waiting = new Set<Layer>();
    const done = (layer: Layer): void => {
      if (waiting.delete(layer) && waiting.size === 0) ready();
    };
    this.#configured.forEach((layer, index) => {
      if (layer.config.rtds_layer === undefined) return;
      waiting.add(layer);
      this.#subscriptions.push(
        this.#subscribe(layer, subscriptions, at('layered_runtime.layers', index), done),
      );
    });
    if (waiting.size === 0) ready();
  }

  close(): void {
    for (const disk of this.#disks) disk.close();
    for (const subscription of this.#subscriptions) subscription.close();
  }

  #subscribe(
    layer: Layer,
    subscriptions: SubscriptionFactory,
    path: string,
    done: (layer: Layer) => void,
  ): Subscription {
    const rtds = layer.config.rtds_layer!;
    const where = at(path, 'rtds_layer');
    if (rtds.rtds_config === undefined) throw new ConfigError(at(where, 'rtds_config'), 'value is required');
    const name = rtds.name === '' ? layer.name : rtds.name;
    return subscriptions.subscribe(
      rtds.rtds_config,
      RUNTIME_TYPE,
      new Set([name]),
      {
        onConfigUpdate: (added, removed) => {
          const resource = added.find((one) => one.name === name);
          try {
            const struct = resource && decode(RUNTIME_TYPE, resource.bytes).layer;
            if (struct !== undefined) layer.values = flattenLayer(struct, 'layer');
            else if (removed.includes(name)) layer.values = new Map();
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error;
            return [{ name, path: error.path, reason: error.reason }];
          }
          this.#merge();
          done(layer);
          return [];
        },
        onConfigUpdateFailed: (reason) => {
          if (reason !== 'connection') done(layer);
        },
      },
      `runtime.${layer.name}.`,
      at(where, 'rtds_config'),
    );
  }

  #addDisk(layer: Layer, serviceCluster: string): void {
    if (layer.config.disk_layer === undefined) return;
    const disk = new DiskLayer(layer.name, layer.config.disk_layer, serviceCluster);
    this.#disks.push(disk);
    this.#load(layer, disk);
    try {
      disk.watch(() => {
        this.#load(layer, disk);
        this.#merge();
      });
    } catch (error) {
      throw new ConfigError('layered_runtime', `layer ${layer.name}: ${(error as Error).message}`);
    }
  }

  #load(layer: Layer, disk: DiskLayer): void {
    try {
      layer.values = disk.read();
      this.#failed.delete(layer);
    } catch (error) {
      layer.values = undefined;
      this.#failed.add(layer);
      log.error(
        `error loading runtime values for layer ${layer.name} from disk: ${(error as Error).message}`,
      );
    }
  }

  #merge(): void {
    const { values } = this;
    const layers = this.#layers;
    this.snapshot.update(values);
    const { base } = this.#stats;
    this.#stats.values[base + (this.#failed.size === 0 ? AT.load_success : AT.load_error)]!++;
    // Envoy's word for a second directory over the first.
    const overridden = layers.filter(({ config }) => config.disk_layer !== undefined).length > 1;
    this.#stats.values[base + (overridden ? AT.override_dir_exists : AT.override_dir_not_exists)]!++;
    this.#stats.values[base + AT.num_layers] = layers.length;
    this.#stats.values[base + AT.num_keys] = Object.keys(values).length;
    this.#publish(values);
  }
}

function compileLayers(configs: readonly RuntimeLayer[]): Layer[] {
  const names = new Set<string>();
  let admins = 0;
  return configs.map((config, index) => {
    const path = at('layered_runtime.layers', index);
    if (names.has(config.name)) throw new ConfigError(path, `Duplicate layer name: ${config.name}`);
    names.add(config.name);
    if (config.admin_layer !== undefined && ++admins > 1) {
      throw new ConfigError(
        path,
        'Too many admin layers specified in LayeredRuntime, at most one may be specified',
      );
    }
    const values =
      config.static_layer === undefined
        ? new Map<string, RuntimeValue>()
        : flattenLayer(config.static_layer, at(path, 'static_layer'));
    return { name: config.name, config, values };
  });
}
