// The set_metadata filter: values of several entries, merged or refused, as access logs and headers show them.

import { accessLog, type Scenario, TYPE } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

type Json = Readonly<Record<string, unknown>>;

const set = (config: Json): Json => ({
  name: 'set_metadata',
  typed_config: { '@type': `${TYPE}filters.http.set_metadata.v3.Config`, ...config },
});
const entry = (value: Json, more: Json = {}): Json => ({ metadata_namespace: 'n', value, ...more });
const logged = (name: string, ...filters: readonly Json[]): Scenario => ({
  name: `set_metadata: ${name}`,
  filters,
  route: { request_headers_to_add: [{ header: { key: 'x-a', value: '%DYNAMIC_METADATA(n:a)%' } }] },
  manager: {
    access_log: [accessLog('%DYNAMIC_METADATA(n)% %DYNAMIC_METADATA(n:a:b)% %DYNAMIC_METADATA(m)%')],
  },
  connections: [[get('/'), get('/')]],
});
const OVERWRITE = { allow_overwrite: true };

export const METADATA_CASES: readonly Scenario[] = [
  logged(
    'values of all kinds',
    set({ metadata: [entry({ a: { b: 'text' }, c: 1.5, d: true, e: null, f: ['x', 2] })] }),
  ),
  logged('no value', set({ metadata: [{ metadata_namespace: 'n' }] })),
  logged(
    'two namespaces',
    set({ metadata: [entry({ a: '1' }), { metadata_namespace: 'm', value: { b: '2' } }] }),
  ),
  logged(
    'a second entry that may not overwrite',
    set({ metadata: [entry({ a: '1' }), entry({ a: '2', z: '3' })] }),
  ),
  logged(
    'a second entry that is merged',
    set({
      metadata: [
        entry({ a: { b: '1', l: ['x'] }, k: ['1'], s: 'x' }),
        entry({ a: { c: '2', l: ['y'] }, k: ['2'], s: { now: 'a struct' } }, OVERWRITE),
      ],
    }),
  ),
  logged(
    'a second filter',
    set({ metadata: [entry({ a: '1' })] }),
    set({ metadata: [entry({ b: '2' }, OVERWRITE)] }),
  ),
  logged(
    'the deprecated fields',
    set({ metadata_namespace: 'n', value: { a: '1' } }),
    set({ metadata_namespace: 'n', value: { a: '2', b: '3' } }),
  ),
];
