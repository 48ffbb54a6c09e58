// Asks the worker that explains requests by a /config_dump file.

import type { FromExplainer, ToExplainer } from '../explainer/explainer.ts';

interface Waiting {
  readonly resolve: (explanation: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Explainer {
  readonly #worker = new Worker(new URL('../explainer/explainer.ts', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  /** `dump`: the JSON of the file. */
  constructor(dump: unknown) {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromExplainer>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('error' in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.explanation);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(message || 'it could not be loaded'));
      this.#waiting.clear();
    });
    this.#tell({ dump });
  }

  /** What POST /api/explain takes and answers. */
  ask(question: unknown): Promise<unknown> {
    const id = ++this.#asked;
    this.#tell({ id, question: question as object });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  close(): void {
    this.#worker.terminate();
  }

  #tell(message: ToExplainer): void {
    this.#worker.postMessage(message);
  }
}
