// The order in which a server comes up: static clusters whose hosts need nobody, then those that need them and CDS, then
// static listeners and LDS, then the workers listen. Each step waits for all resources of the one before to be warm.
// Envoy: source/server/server.cc (RunHelper), cluster_manager_impl.cc (ClusterManagerInitHelper).

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { logger } from '../../common/log.ts';
import type { ClusterStore } from './cluster_store.ts';
import type { ListenerStore } from './listener_store.ts';

const log = logger('main');

type Step = 'not started' | 'primary clusters' | 'clusters' | 'listeners' | 'finished';

export class InitSequence {
  readonly #bootstrap: Bootstrap;
  readonly #clusters: ClusterStore;
  readonly #listeners: ListenerStore;
  #step: Step = 'not started';
  /** CDS or LDS was asked and has not answered. */
  #waitsForAnswer = false;
  #onFinished: () => void = () => undefined;

  constructor(bootstrap: Bootstrap, clusters: ClusterStore, listeners: ListenerStore) {
    this.#bootstrap = bootstrap;
    this.#clusters = clusters;
    this.#listeners = listeners;
  }

  get finished(): boolean {
    return this.#step === 'finished';
  }

  /** All clusters are warm. */
  get clustersReady(): boolean {
    return this.#step === 'listeners' || this.#step === 'finished';
  }

  /** For /init_dump. */
  get waitingFor(): readonly string[] {
    const answer = this.#step === 'clusters' ? 'CDS' : 'LDS';
    const names = this.#waitsForAnswer ? [answer] : [];
    for (const { name, warming } of this.#clusters.all) if (warming) names.push(`Cluster ${name}`);
    for (const { name, warming } of this.#listeners.all) {
      if (warming) names.push(`Listener-init-target ${name}`);
    }
    return names;
  }

  start(onFinished: () => void): void {
    this.#onFinished = onFinished;
    this.#step = 'primary clusters';
    this.advance();
  }

  /** Something became warm: goes on when nothing is missing any more. */
  advance(): void {
    while (!this.#waitsForAnswer) {
      if (this.#step === 'primary clusters' && this.#clusters.warmingCount === 0) this.#startClusters();
      else if (this.#step === 'clusters' && this.#clusters.warmingCount === 0) this.#startListeners();
      else if (this.#step === 'listeners' && this.#listeners.warmingCount === 0) this.#finish();
      else return;
    }
  }

  #startClusters(): void {
    this.#step = 'clusters';
    this.#clusters.startSecondary();
    const source = this.#bootstrap.dynamic_resources?.cds_config;
    if (source === undefined) return;
    log.info('cm init: initializing cds');
    this.#waitsForAnswer = true;
    this.#clusters.subscribe(source, () => this.#answered('clusters'), 'dynamic_resources.cds_config');
  }

  #startListeners(): void {
    log.info('all clusters initialized. initializing init manager');
    this.#step = 'listeners';
    this.#listeners.startStatic();
    const source = this.#bootstrap.dynamic_resources?.lds_config;
    if (source === undefined) return;
    this.#waitsForAnswer = true;
    this.#listeners.subscribe(source, () => this.#answered('listeners'), 'dynamic_resources.lds_config');
  }

  #finish(): void {
    log.info('all dependencies initialized. starting workers');
    this.#step = 'finished';
    this.#listeners.startWorkers();
    this.#onFinished();
  }

  #answered(step: Step): void {
    if (step !== this.#step || !this.#waitsForAnswer) return;
    this.#waitsForAnswer = false;
    this.advance();
  }
}
