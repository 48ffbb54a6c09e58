// The bootstrap's stats_config: the same tags, the same stats left out and the same buckets as Envoy.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminBootstrap, adminUpstream, drive } from './admin_bootstrap.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import type { ScriptedUpstream } from './scripted_upstream.ts';
import { seriesOf, statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SETTLE_MS = 600;

const CASES: Readonly<Record<string, object>> = {
  'own tags beside the default ones': {
    stats_tags: [
      { tag_name: 'kind', regex: '^cluster\\.((.+?)_cluster\\.)' },
      { tag_name: 'direction', regex: '(_(rx|tx)_bytes)' },
      { tag_name: 'site', fixed_value: 'here' },
      { tag_name: 'envoy.response_code' },
    ],
  },
  'no tags but own ones': {
    use_all_default_tags: false,
    stats_tags: [{ tag_name: 'envoy.cluster_name' }, { tag_name: 'code', regex: '_rq(_(\\d{3}))$' }],
  },
  'an exclusion list': {
    stats_matcher: {
      exclusion_list: {
        patterns: [
          { prefix: 'http.admin' },
          { suffix: '_flood' },
          { safe_regex: { google_re2: {}, regex: 'cluster\\.h[0-9]_.*_rq_.*' } },
          { contains: 'watchdog' },
          { exact: 'server.uptime' },
        ],
      },
    },
  },
  'an inclusion list': {
    stats_matcher: {
      inclusion_list: { patterns: [{ prefix: 'cluster.' }, { suffix: 'downstream_rq_time' }] },
    },
  },
  'everything rejected': { stats_matcher: { reject_all: true } },
  'buckets of histograms': {
    histogram_bucket_settings: [
      { match: { suffix: 'cx_length_ms' }, buckets: [0.1, 1, 10, 100, 1000] },
      { match: { prefix: 'cluster.' }, buckets: [5, 7.5] },
    ],
  },
};

for (const [title, stats_config] of Object.entries(CASES)) {
  describe(`stats_config with ${title}`, { skip: SKIP }, () => {
    let upstream: ScriptedUpstream;
    const processes: EnvoyProcess[] = [];
    before(async () => {
      upstream = await adminUpstream();
      const bootstrap = { ...adminBootstrap(upstream.port), stats_config };
      for (const command of [[ENVOY_BIN!], PILOTFISH]) {
        const process = await EnvoyProcess.start(bootstrap, command);
        processes.push(process);
        await drive(process);
      }
      await sleep(SETTLE_MS);
    });
    after(async () => {
      await Promise.all(processes.map((each) => each.stop()));
      upstream?.close();
    });

    test('the same names', async () => {
      const [theirs, ours] = await Promise.all(
        processes.map(async (each) => [...(await statsOf(each)).keys()]),
      );
      assert.deepEqual(withoutOurs(ours!), theirs!.sort());
    });

    test('the same series', async () => {
      const [theirs, ours] = await Promise.all(processes.map((each) => seriesOf(each)));
      // Envoy makes these before it has read the bootstrap, and so without its fixed tags.
      const early = (series: string): boolean => series.includes('envoy_filesystem_');
      const compared = (all: readonly string[]): string[] => all.filter((series) => !early(series));
      assert.deepEqual(compared(withoutOurs(ours!)), compared(theirs!));
    });
  });
}

function withoutOurs(names: readonly string[]): string[] {
  return names.filter((name) => !name.includes('worker_crashes')).sort();
}
