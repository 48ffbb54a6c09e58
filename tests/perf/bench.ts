// `npm run bench`: Pilotfish beside Envoy under the same load and configuration, each figure the median of rounds that take
// turns. How it is measured and what came of it: docs/performance.md.

import os from 'node:os';
import { ENVOY_BIN } from '../differential/envoy_process.ts';
import { HAS_THREAD_TIMES } from '../integration/thread_times.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { PEER_TITLES } from './peer_process.ts';
import { CAN_PIN, LOAD_CORE, PROXY_CORE } from './pinned_child.ts';
import { Report, shown } from './report.ts';
import { Stage } from './workload.ts';
import { WORKLOADS } from './workloads.ts';
import { HAS_WRK } from './wrk.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 1;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  if (!HAS_THREAD_TIMES) {
    console.error('This needs the CPU times of threads in /proc/PID/task/TID/schedstat, which Linux has.');
    return 1;
  }
  return measure(options);
}

/** Prints the table. Returns how many measurements failed, as an exit code. */
async function measure({ workloads, rounds, seconds, ...options }: Options): Promise<number> {
  const peers = options.peers.filter((peer) => peer !== 'envoy' || ENVOY_BIN !== undefined);
  if (peers.length < options.peers.length) {
    console.error('No Envoy: its column is left out. Put envoy on PATH or its path into ENVOY_BIN.');
  }
  const cpu = os.cpus()[0]?.model.trim();
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpu}, ${os.availableParallelism()} cores, Linux ${os.release()}, Node ${process.versions.node}`,
  );
  const place = CAN_PIN
    ? `proxies on core ${PROXY_CORE}, load and upstream on core ${LOAD_CORE}`
    : 'nothing is tied to a core: no taskset, or too few cores';
  const generator = HAS_WRK && Number.isInteger(seconds) ? 'wrk' : 'the load generator of the project';
  console.log(`${rounds} rounds of ${seconds} s, ${place}, HTTP load by ${generator}\n`);

  const report = new Report(peers);
  const stage = new Stage();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stage.close().finally(() => process.exit(1)));
  }
  let failures = 0;
  try {
    for (const name of workloads) {
      for (let round = 0; round < rounds; round++) {
        for (const peer of peers) {
          try {
            for (const figure of await WORKLOADS[name](stage, peer, seconds)) {
              report.add(peer, figure);
              console.error(`${PEER_TITLES[peer]}: ${figure.title}: ${shown(figure.value)} ${figure.unit}`);
            }
          } catch (error) {
            failures++;
            console.error(`${PEER_TITLES[peer]}, ${name}: ${(error as Error).message}`);
          }
        }
      }
    }
  } finally {
    await stage.close();
  }
  console.log(report.markdown());
  return failures === 0 ? 0 : 1;
}
