// One client of the folder: what it has been sent, and the next steps. A change goes out make-before-break: clusters, endpoints,
// listeners, routes in that order, each after the one before was answered; then, backwards, what is gone.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations

import { logger } from '../../common/log.ts';
import { resourceType } from '../xds/resource_types.ts';
import type { ServedResource } from './resource_file.ts';
import { resourcesOf, type Snapshot, withOldOnes } from './snapshot.ts';

const log = logger('config');

/** A client asks for the endpoints of new clusters right after its ACK: they go before what leads to them. */
const SETTLE_MS = 20;

/** What either dialect does for a session. */
export interface Dialogue {
  /** Sends what the client does not have of a type; false when there is nothing to send. */
  push(typeUrl: string, snapshot: Snapshot): boolean;
}

export class Session {
  readonly #dialogue: Dialogue;
  /** What the client is to have in the end, what it had, and what it is being sent. */
  #goal: Snapshot;
  #reached: Snapshot;
  #view: Snapshot;
  /** Types still to be pushed, each with the snapshot to push of it. */
  #steps: [typeUrl: string, snapshot: Snapshot][] = [];
  #awaited: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(dialogue: Dialogue, snapshot: Snapshot) {
    this.#dialogue = dialogue;
    this.#goal = snapshot;
    this.#reached = snapshot;
    this.#view = snapshot;
  }

  /** What requests are answered from. */
  get view(): Snapshot {
    return this.#view;
  }

  /** Starts towards a new state; when it is under way to one already, after that. */
  update(snapshot: Snapshot): void {
    this.#goal = snapshot;
    if (this.#steps.length === 0 && this.#awaited === undefined && this.#timer === undefined) this.#begin();
  }

  /** The client has taken or refused the last push of a type. */
  onAnswered(typeUrl: string): void {
    if (this.#awaited !== typeUrl) return;
    this.#awaited = undefined;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, SETTLE_MS);
  }

  /** A NACK: says where in the folder the refused resources stand, as far as the client's words tell. */
  onRejected(typeUrl: string, error: string): void {
    const { label } = resourceType(typeUrl);
    let found = false;
    for (const resource of resourcesOf(this.#view, typeUrl).values()) {
      const said = whatIsSaidOf(resource, error);
      if (said === undefined) continue;
      found = true;
      const field = /^[^\s:]*(?=: )/.exec(said)?.[0] ?? '';
      log.error(`${resource.locate(field)}: ${label} '${resource.name}' was rejected: ${said}`);
    }
    if (!found) log.error(`a client rejected ${label}s: ${error}`);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#steps = [];
  }

  #begin(): void {
    const additions = withOldOnes(this.#reached, this.#goal);
    const types = [...additions.keys()].sort((a, b) => resourceType(a).order - resourceType(b).order);
    const goal = this.#goal;
    this.#reached = goal;
    this.#steps = [
      ...types.map((typeUrl): [string, Snapshot] => [typeUrl, additions]),
      ...types.reverse().map((typeUrl): [string, Snapshot] => [typeUrl, goal]),
    ];
    this.#next();
  }

  #next(): void {
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      const [typeUrl, snapshot] = step;
      this.#view = snapshot;
      if (this.#dialogue.push(typeUrl, snapshot)) {
        this.#awaited = typeUrl;
        return;
      }
    }
    if (this.#goal !== this.#reached) this.#begin();
  }
}

/** What follows `NAME: ` in `Error adding/updating cluster(s) NAME: ..., OTHER: ...`. */
function whatIsSaidOf(resource: ServedResource, error: string): string | undefined {
  for (const separator of [') ', ', ']) {
    const start = error.indexOf(`${separator}${resource.name}: `);
    if (start >= 0) return error.slice(start + separator.length + resource.name.length + 2);
  }
  return undefined;
}
