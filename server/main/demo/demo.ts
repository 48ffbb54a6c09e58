// `npm start` without arguments: the folder control plane on examples/demo, with backends of its own.

import { fileURLToPath } from 'node:url';
import type { Options } from '../bootstrap/command_line.ts';

/** What the demo serves: resources to read, to edit and to copy. */
export const DEMO_FOLDER = fileURLToPath(new URL('../../../examples/demo', import.meta.url));

/** Does the command line leave it open what to run? `--mode validate` always needs something to check. */
export function isDemo({ configPath, configYaml, istiod, resources, mode }: Options): boolean {
  return (
    configPath === '' && configYaml === '' && istiod === undefined && resources === '' && mode === 'serve'
  );
}

export interface DemoAddresses {
  /** `host:port` by listener name. */
  readonly listeners: ReadonlyMap<string, string>;
  readonly admin: string;
}

/** What to try, with the addresses that are open now. */
export function demoText({ listeners, admin }: DemoAddresses): string {
  const http = listeners.get('http');
  const tcp = listeners.get('tcp');
  const lines = ['', 'Pilotfish is running the demo.', '', `  dashboard         http://${admin}/ui/`];
  for (const [name, address] of listeners) lines.push(`  listener ${name.padEnd(8)} ${address}`);
  lines.push(`  admin             ${admin}`, `  configuration     ${DEMO_FOLDER}`, '', 'Try:', '');
  if (http !== undefined) {
    lines.push(
      ...command(`curl http://${http}/hello`, 'three of four answers are from v1'),
      ...command(`curl -H 'x-version: v2' http://${http}/hello`, 'a header chooses v2'),
      ...command(`curl http://${http}/api/users`, 'the path is rewritten to /hello/users'),
      ...command(`curl http://${http}/slow`, 'waits for a second'),
      ...command(`curl -i http://${http}/flaky`, 'every other one fails'),
      ...command(`curl http://${http}/direct`, 'the proxy answers itself'),
      ...command(`curl -i http://${http}/old`, 'a redirect'),
    );
  }
  if (tcp !== undefined) {
    lines.push(...command(`nc ${tcp.replace(':', ' ')}`, 'TCP: what you type comes back'));
  }
  lines.push(
    ...command(`curl http://${admin}/config_dump`, 'everything that is in force'),
    ...command(`curl http://${admin}/clusters`, 'hosts and their live numbers'),
    '',
    `Edit ${DEMO_FOLDER}/routes.yaml and save: the next request takes the new way.`,
    '',
  );
  return lines.join('\n');
}

function command(text: string, what: string): string[] {
  return [`  ${text.padEnd(52)} # ${what}`];
}
