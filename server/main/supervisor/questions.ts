// Questions to all workers: each answers by a message, and who does not (it has died, or is busy) is not waited for.

import type { WorkerAnswers, WorkerQuestion } from '../../messages.ts';

/** ms. A worker that takes longer for a message is stuck. */
const PATIENCE_MS = 2000;

interface OpenQuestion {
  readonly answers: Map<number, unknown>;
  readonly waitingFor: Set<number>;
  readonly resolve: () => void;
  readonly onAnswer: ((worker: number) => void) | undefined;
}

export class Questions {
  readonly #open = new Map<number, OpenQuestion>();
  #lastId = 0;

  /** `send` asks one worker, `onAnswer` is told of each answer when it comes. Resolves with the answers by worker index. */
  async ask<Q extends WorkerQuestion>(
    workers: readonly number[],
    send: (worker: number, id: number) => void,
    onAnswer?: (worker: number) => void,
  ): Promise<ReadonlyMap<number, WorkerAnswers[Q]>> {
    const id = ++this.#lastId;
    const answers = new Map<number, WorkerAnswers[Q]>();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.set(id, { answers, waitingFor: new Set(workers), resolve, onAnswer });
    const timer = setTimeout(resolve, PATIENCE_MS);
    for (const worker of workers) send(worker, id);
    if (workers.length === 0) resolve();
    await promise;
    clearTimeout(timer);
    this.#open.delete(id);
    return answers;
  }

  onAnswer(worker: number, id: number, answer: unknown): void {
    const question = this.#open.get(id);
    if (question === undefined) return;
    question.answers.set(worker, answer);
    question.onAnswer?.(worker);
    this.#settle(question, worker);
  }

  onExit(worker: number): void {
    for (const question of this.#open.values()) this.#settle(question, worker);
  }

  #settle({ waitingFor, resolve }: OpenQuestion, worker: number): void {
    if (waitingFor.delete(worker) && waitingFor.size === 0) resolve();
  }
}
