// Trusted roots and revocation lists as text, one object for equal texts: thousands of clusters trust the same bundle, and
// share an OpenSSL context because of it.

export interface TrustStore {
  /** '' trusts nobody. */
  readonly caPem: string;
  readonly crlPem: string;
}

const stores = new Map<string, WeakRef<TrustStore>>();
const forgotten = new FinalizationRegistry((key: string) => {
  if (stores.get(key)?.deref() === undefined) stores.delete(key);
});

export function trustStore(caPem: string, crlPem: string): TrustStore {
  const key = `${caPem}\n${crlPem}`;
  const known = stores.get(key)?.deref();
  if (known !== undefined) return known;
  const store = Object.freeze({ caPem, crlPem });
  stores.set(key, new WeakRef(store));
  forgotten.register(store, key);
  return store;
}
