// Active health checks beside Envoy: both ask the same hosts, which do well, badly and well again; flags, stats and the event
// log must be the same, and so must be what the hosts were asked.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BalancedProxy, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';
import { CASES, TIMES } from './health_check_cases.ts';
import { Patient } from './patient.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** For several checks, and for logs to be written. */
const SETTLE_MS = 2500;

type Json = Readonly<Record<string, unknown>>;

interface Side {
  readonly proxy: BalancedProxy;
  readonly directory: string;
  readonly patients: readonly Patient[];
}

describe('health checks are those of Envoy', { skip: SKIP, concurrency: 8 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'health-'));
  const sides: Side[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const own = mkdtempSync(path.join(directory, 'side-'));
      const patients = CASES.map(({ server = 'http', phases }) => {
        const patient = new Patient(server);
        patient.manners = phases[0];
        return patient;
      });
      for (const [i, patient] of patients.entries()) {
        await patient.listen();
        if (CASES[i].server === 'closed') await patient.close();
      }
      const clusters = Object.fromEntries(
        CASES.map(({ name, check, endpoint, cluster, portForChecks }, i) => [
          name,
          { ...clusterOf(name, check, endpoint, patients[i].port, own, portForChecks), ...cluster?.(own) },
        ]),
      );
      sides.push({ proxy: await startBalancer({ clusters }, command), directory: own, patients });
    }
  });
  after(async () => {
    for (const { proxy, patients } of sides) {
      await proxy.stop();
      for (const [i, patient] of patients.entries()) if (CASES[i].server !== 'closed') await patient.close();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  for (const [i, { name, phases, request }] of CASES.entries()) {
    test(name.replaceAll('_', ' '), async () => {
      const seen = await Promise.all(
        sides.map(async (side) => {
          const states: string[] = [];
          for (const [phase, manners] of phases.entries()) {
            side.patients[i].manners = manners;
            if (phase === 1 && request !== undefined) await side.proxy.get(name, request);
            await sleep(SETTLE_MS);
            states.push(await state(side.proxy, name));
          }
          const { port, asked } = side.patients[i];
          return [...states, ...[...asked].sort(), events(side.directory, name)]
            .join('\n')
            .replaceAll(`127.0.0.1:${port}`, 'HOST')
            .replaceAll(`"port_value":${port}`, '"port_value":0');
        }),
      );
      assert.equal(seen[1], seen[0]);
    });
  }
});

function clusterOf(
  name: string,
  check: Json,
  endpoint: Json | undefined,
  port: number,
  directory: string,
  portForChecks = false,
): Json {
  const address = { socket_address: { address: '127.0.0.1', port_value: portForChecks ? 1 : port } };
  const checked = portForChecks ? { health_check_config: { port_value: port } } : {};
  return {
    ...(check.grpc_health_check !== undefined && { http2_protocol_options: {} }),
    health_checks: [
      {
        ...TIMES,
        event_log_path: path.join(directory, `${name}.log`),
        ...check,
      },
    ],
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { locality: { region: 'r' }, lb_endpoints: [{ endpoint: { address, ...checked, ...endpoint } }] },
      ],
    },
  };
}

/** Flags and gauges; of counters, whether they count. */
async function state(proxy: BalancedProxy, cluster: string): Promise<string> {
  const stats = await proxy.stats(cluster, /^health_check\.|^membership_(?!change|total)/);
  const counted = Object.entries(stats).map(([name, value]) =>
    /(?:healthy|degraded|excluded)$/.test(name)
      ? `${name}: ${value}`
      : `${name}: ${value > 0 ? 'some' : 'none'}`,
  );
  const text = await (await fetch(`${proxy.process.admin}/clusters`)).text();
  const flags = text
    .split('\n')
    .filter((line) => line.startsWith(`${cluster}::`) && line.includes('::health_flags::'));
  return ['---', ...counted.sort(), ...flags].join('\n');
}

/** Each event once, in the order of the first of its kind. */
function events(directory: string, cluster: string): string {
  const lines = readFileSync(path.join(directory, `${cluster}.log`), 'utf8').split('\n');
  return [...new Set(lines.map((line) => line.replace(/"timestamp":"[^"]+"/, '"timestamp":""')))].join('\n');
}
