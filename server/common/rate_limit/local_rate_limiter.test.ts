import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { RateLimitDescriptor } from '../../api/rate_limit.ts';
import { LocalRateLimiter, type RateLimiterSettings, rateLimiterBytes } from './local_rate_limiter.ts';
import { tokenBucketSettings } from './shared_token_bucket.ts';

const SLOW_MS = 1e9;
const settings = (more: Partial<RateLimiterSettings> = {}): RateLimiterSettings => ({
  bucket: tokenBucketSettings(1000, 1, SLOW_MS),
  descriptors: [],
  alwaysConsumeDefault: true,
  maxDynamicDescriptors: 3,
  ...more,
});
const wildcard = settings({
  bucket: undefined,
  descriptors: [
    {
      entries: [{ key: 'a', value: '' }],
      bucket: tokenBucketSettings(5, 1, SLOW_MS),
      shadowMode: false,
      wildcard: true,
    },
  ],
});
const asked = (value: string): readonly RateLimitDescriptor[] => [
  {
    entries: [{ key: 'a', value }],
    hitsAddend: undefined,
    isNegativeHits: false,
    xRateLimitOption: 'UNSPECIFIED',
  },
];

/** Threads that ask for tokens until they are refused; how many they got in all. */
async function grantedByThreads(
  threads: number,
  limits: RateLimiterSettings,
  value: string,
): Promise<number> {
  const memory = new SharedArrayBuffer(rateLimiterBytes(limits));
  const limiter = new URL('local_rate_limiter.ts', import.meta.url).href;
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { LocalRateLimiter } from '${limiter}';
    const limiter = new LocalRateLimiter(workerData.limits, workerData.memory);
    let granted = 0;
    while (limiter.requestAllowed(workerData.asked).allowed) granted++;
    parentPort.postMessage(granted);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const counts = Array.from({ length: threads }, () => {
    const worker = new Worker(url, { workerData: { limits, memory, asked: asked(value) } });
    return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  return (await Promise.all(counts)).reduce((sum, granted) => sum + granted, 0);
}

describe('local rate limiter', () => {
  test('threads draw from one bucket, to the token', async () => {
    assert.equal(await grantedByThreads(3, settings(), 'x'), 1000);
  });

  test('threads draw from one bucket of a wildcard', async () => {
    const [{ entries, shadowMode }] = wildcard.descriptors;
    const bucket = tokenBucketSettings(1000, 1, SLOW_MS);
    const limits = { ...wildcard, descriptors: [{ entries, shadowMode, bucket, wildcard: true }] };
    assert.equal(await grantedByThreads(3, limits, 'x'), 1000);
  });

  test('what was used least recently makes room', () => {
    const limiter = new LocalRateLimiter(wildcard, new SharedArrayBuffer(rateLimiterBytes(wildcard)));
    const remaining = (value: string): number =>
      limiter.requestAllowed(asked(value)).bucket!.remainingTokens();
    assert.deepEqual(
      ['1', '2', '3', '1', '4', '1', '3', '2', '1'].map(remaining),
      [4, 4, 4, 3, 4, 2, 3, 4, 1],
    );
  });

  test('two limiters over one memory are one limiter', () => {
    const memory = new SharedArrayBuffer(rateLimiterBytes(wildcard));
    const limiters = [new LocalRateLimiter(wildcard, memory), new LocalRateLimiter(wildcard, memory)];
    const granted = Array.from({ length: 8 }, (_, i) => limiters[i % 2].requestAllowed(asked('x')).allowed);
    assert.deepEqual(granted, [true, true, true, true, true, false, false, false]);
  });
});
