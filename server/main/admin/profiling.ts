// /cpuprofiler, /heapprofiler, /allocprofiler, /heap_dump, /peak_heap_dump, /memory/tcmalloc, /contention: what Envoy has from
// gperftools, tcmalloc and its mutexes, with what V8 has in their place. Envoy: source/server/admin/profiling_handler.cc.

import type { AdminContext, ProfileKind, ThreadProfiles } from './context.ts';
import { type AdminAnswer, type AdminRequest, text } from './handler.ts';

const MIB = 1024 * 1024;
const LINE = '------------------------------------------------\n';

export function cpuProfiler(request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  return profile('cpu', request, context);
}

export function heapProfiler(request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  return profile('heap', request, context);
}

export function allocationProfiler(request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  return profile('allocation', request, context);
}

async function profile(
  kind: ProfileKind,
  { query }: AdminRequest,
  { profiler }: AdminContext,
): Promise<AdminAnswer> {
  const enable = query.get('enable');
  if (query.size !== 1 || (enable !== 'y' && enable !== 'n')) return text('?enable=<y|n>\n', 400);
  if (enable === 'y') {
    if (await profiler.start(kind)) return text('OK\n');
    return text('failure to start the profiler', 500);
  }
  const profiles = await profiler.stop(kind);
  if (profiles === undefined) return text('OK\n');
  return { status: 200, contentType: 'application/json', body: profilesJson(profiles) };
}

/** One object, a profile of V8 for each thread. */
function* profilesJson(profiles: ThreadProfiles): Generator<string> {
  let before = '{';
  for (const [thread, one] of profiles) {
    yield `${before}${JSON.stringify(thread)}:`;
    yield one;
    before = ',\n';
  }
  yield '}\n';
}

/** A snapshot of the heap would stop the world, and show keys and tokens. */
export function heapDump(): AdminAnswer {
  return text(
    'V8 keeps no samples of its heap. POST /heapprofiler?enable=y, and ?enable=n answers with what was allocated since and is alive.\n',
    501,
  );
}

export function peakHeapDump(): AdminAnswer {
  return text('V8 keeps no samples of its heap, at its peak neither. See /heapprofiler.\n', 501);
}

/** There are no mutexes: threads share memory by atomic operations and never wait for each other. */
export function contention(): AdminAnswer {
  return text(
    'Mutex contention tracing is not enabled. To enable, run Envoy with flag --enable-mutex-tracing.',
  );
}

export async function tcmalloc(_request: AdminRequest, { profiler }: AdminContext): Promise<AdminAnswer> {
  let body = `Memory is V8's, there is no tcmalloc. Each thread has a heap of its own.\n${LINE}`;
  const { rss } = process.memoryUsage();
  body += figure('V8', rss, 'Bytes of the process in memory (RSS)');
  for (const [thread, heap] of await profiler.heaps()) {
    body += LINE;
    body += figure(thread, heap.used, 'Bytes in use by objects');
    body += figure(thread, heap.committed - heap.used, 'Bytes in the heap that are free');
    body += figure(thread, heap.external, 'Bytes outside of the heap that objects hold (buffers)');
    body += figure(thread, heap.malloced, 'Bytes of V8 itself');
    body += figure(thread, heap.physical, 'Bytes of the heap in memory');
    body += figure(thread, heap.limit, 'Bytes the heap may grow to');
  }
  return { status: 200, contentType: 'text/plain', body };
}

function figure(thread: string, bytes: number, what: string): string {
  return `${thread}: ${String(bytes).padStart(14)} (${(bytes / MIB).toFixed(1).padStart(7)} MiB) ${what}\n`;
}
