// How node is to run pilotfish, in one place: V8's flags and the environment that node and the C library read when they
// start. Both entries (bin/pilotfish.cjs and server/main.ts) use it.
'use strict';

const os = require('node:os');
const path = require('node:path');

/**
 * 2 MB of young generation are enough for the main thread; workers have more (server/main/supervisor/worker_thread.ts).
 * A young generation so small is collected by one thread as fast as by several; several leave pages half full behind, up to 15 MB when
 * thousands of connections come at once. Nobody here follows a context through asynchronous calls: without a frame for it, each call
 * from the event loop costs less. The last flag makes RegExp linear on patterns that would backtrack without end.
 */
const FLAGS = [
  '--max-semi-space-size=2',
  '--no-parallel-scavenge',
  '--no-async-context-frame',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
];

/**
 * NODE_COMPILE_CACHE: with it, also worker threads find their stripped and compiled sources and never load the type
 * stripper, which costs 17 MB a thread. The others are glibc's: it keeps what threads free in arenas of their own, where two
 * are enough, and what V8's compiler frees goes back to the system only if it was mapped (20 MB after warming up).
 */
const ENVIRONMENT = {
  NODE_COMPILE_CACHE: path.join(os.tmpdir(), `pilotfish-compile-cache-${process.getuid?.() ?? 'user'}`),
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '32768',
};

/** The environment to run in; what the user has set stays. */
function environment() {
  return { ...ENVIRONMENT, ...process.env };
}

/**
 * True when this process was started with all of it. A process under V8's profiler must stay as it is: the profiler's timer
 * would outlive the restart and kill what comes after.
 */
function isSetUp() {
  if (process.execArgv.some((flag) => flag.startsWith('--cpu-prof') || flag.startsWith('--prof')))
    return true;
  return (
    FLAGS.every((flag) => process.execArgv.includes(flag)) &&
    Object.keys(ENVIRONMENT).every((name) => process.env[name] !== undefined)
  );
}

/** Node's arguments before the script's own. Flags that the caller gave (`--cpu-prof`) stay. */
function nodeArguments(script) {
  return [...FLAGS, ...process.execArgv.filter((flag) => !FLAGS.includes(flag)), script];
}

module.exports = { environment, isSetUp, nodeArguments };
