// Whether the proxy answers, and how old what is on the screen is.

export interface Connection {
  /** `login`: the proxy wants a token. */
  readonly state: 'ok' | 'lost' | 'login';
  /** ms since 1970 of the last answer; 0 before the first. */
  readonly lastAnswerAt: number;
}

let connection: Connection = { state: 'ok', lastAnswerAt: 0 };
const listeners = new Set<() => void>();

export function currentConnection(): Connection {
  return connection;
}

export function observeConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function answered(): void {
  update('ok', Date.now());
}

export function lost(): void {
  update('lost', connection.lastAnswerAt);
}

export function loginNeeded(): void {
  update('login', Date.now());
}

function update(state: Connection['state'], lastAnswerAt: number): void {
  const changed = state !== connection.state;
  connection = { state, lastAnswerAt };
  if (changed) for (const listener of listeners) listener();
}
