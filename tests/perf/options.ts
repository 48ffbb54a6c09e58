// The command line of `npm run bench`.

import { parseArgs } from 'node:util';
import { PEER_NAMES, type PeerName } from './peer_process.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

export const HELP = `npm run bench -- [options]

CPU time per request, memory and update times of Pilotfish beside Envoy, as a Markdown table. Linux only.

  --workloads LIST   of ${Object.keys(WORKLOADS).join(', ')} (default: all)
  --peers LIST       of ${PEER_NAMES.join(', ')} (default: both); Envoy is ENVOY_BIN, or envoy on PATH
  --rounds N         measurements of each (default 3); the table has their medians
  --seconds N        length of one measurement (default 3). wrk and h2load are used when they are on PATH and N
                     is whole, else load generators in TypeScript
  --help
`;

export interface Options {
  readonly help: boolean;
  readonly workloads: readonly WorkloadName[];
  readonly peers: readonly PeerName[];
  readonly rounds: number;
  readonly seconds: number;
}

/** Throws what is wrong with `args`. */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      workloads: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
    },
  });
  return {
    help: values.help,
    workloads: chosen('--workloads', values.workloads, Object.keys(WORKLOADS) as WorkloadName[]),
    peers: chosen('--peers', values.peers, PEER_NAMES),
    rounds: between('--rounds', values.rounds, 1, 100),
    seconds: between('--seconds', values.seconds, 0.1, 600),
  };
}

function chosen<Name extends string>(
  flag: string,
  list: string | undefined,
  all: readonly Name[],
): readonly Name[] {
  if (list === undefined) return all;
  return list.split(',').map((item) => {
    const name = all.find((known) => known === item.trim());
    if (name === undefined) throw new Error(`${flag}: no '${item}'; there are ${all.join(', ')}`);
    return name;
  });
}

function between(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text !== '' && value >= min && value <= max) return value;
  throw new Error(`${flag}: '${text}' is no number from ${min} to ${max}`);
}
