// The proxies that are compared: each started the same way, alone on its core, with one worker thread.

import path from 'node:path';
import { ENVOY_BIN, EnvoyProcess } from '../differential/envoy_process.ts';
import { PROXY_CORE, pinned } from './pinned_child.ts';

export const PEER_NAMES = ['pilotfish', 'envoy'] as const;
export type PeerName = (typeof PEER_NAMES)[number];
export const PEER_TITLES: Readonly<Record<PeerName, string>> = { pilotfish: 'Pilotfish', envoy: 'Envoy' };

const SERVER = path.join(import.meta.dirname, '..', '..', 'server', 'main.ts');

/** Resolves when it is ready to serve. */
export function startPeer(name: PeerName, bootstrap: object): Promise<EnvoyProcess> {
  const command = name === 'pilotfish' ? [process.execPath, SERVER] : [ENVOY_BIN!];
  return EnvoyProcess.start(bootstrap, pinned(PROXY_CORE, command));
}
