// Compares a listener with the one that serves as the workers will (listener_manager.ts: updateInPlace or replace), and
// counts the connections of each filter chain.

import type { FilterChain, Listener } from '../../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { fromJson, type Json } from '../../../../xds-protos/json.ts';
import { decode, encode } from '../../../../xds-protos/load.ts';
import { ConfigError } from '../../../api/config_error.ts';
import { chainKey, shellKey } from '../../../common/listener/listener_config.ts';
import { yaml } from '../../../common/packages.ts';
import { equalBytes, TYPE_NAMES } from '../../config_store/resource.ts';
import { type Difference, diffRedacted } from '../../config_store/resource_diff.ts';
import type { AdminContext, ResourceStatus } from '../context.ts';
import { ApiError, type ApiResult } from './endpoint.ts';

const TYPE = TYPE_NAMES.listener;

interface Chain {
  readonly name: string;
  readonly key: string;
}

interface ChainChange {
  readonly name: string;
  readonly change: 'kept' | 'changed' | 'removed' | 'added';
  readonly connections: number;
}

export async function previewListener(given: Json | undefined, context: AdminContext): Promise<ApiResult> {
  const message = readListener(given);
  if (message instanceof ConfigError) return rejected('', message);
  const { name } = message;
  const bytes = encode(TYPE, message);
  const status = statusOf(name, context);
  if (status?.isStatic === true) {
    return answer(name, 'ignored', 'a listener of the bootstrap has this name, and nobody updates it');
  }
  try {
    context.checkListener(bytes);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return rejected(name, error);
  }
  const before = status?.active?.bytes;
  if (before === undefined) return answer(name, 'new', 'no listener of this name serves', newChains(message));
  if (equalBytes(before, bytes)) return answer(name, 'unchanged', 'the same serves already');
  const serving = decode(TYPE, before);
  const inPlace = shellKey(serving) === shellKey(message);
  const counts = await connectionsByChain(name, context);
  const chains = compareChains(serving, message, counts, inPlace);
  const changes = diffRedacted(TYPE, before, bytes);
  const reason = inPlace
    ? 'only filter chains differ: the connections of equal ones stay'
    : 'more than filter chains differs: a new listener takes the socket, and the old one drains';
  return answer(name, inPlace ? 'in_place' : 'replaced', reason, chains, changes);
}

/** A ConfigError for what is not a listener. Throws ApiError for what is not YAML. */
function readListener(given: Json | undefined): Listener | ConfigError {
  let json: unknown = given;
  try {
    if (typeof given === 'string') json = yaml().parse(given);
  } catch (error) {
    throw new ApiError(400, `'listener' is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ApiError(400, "'listener' must be an object, or YAML of one");
  const { '@type': _type, ...fields } = json as Record<string, unknown>;
  try {
    return fromJson<Listener>(TYPE, fields);
  } catch (error) {
    return error instanceof ConfigError ? error : new ConfigError('', (error as Error).message);
  }
}

function statusOf(name: string, { resources }: AdminContext): ResourceStatus | undefined {
  for (const status of resources.all('listener')) if (status.name === name) return status;
  return undefined;
}

async function connectionsByChain(
  name: string,
  { connections }: AdminContext,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const worker of (await connections.ofChains(name)).values()) {
    for (const [key, count] of worker) counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return counts;
}

function chainsOf({ filter_chains, default_filter_chain: fallback }: Listener): Chain[] {
  const chain = (message: FilterChain, place: string): Chain => ({
    name: message.name || place,
    key: chainKey(message),
  });
  const chains = filter_chains.map((each, index) => chain(each, `filter_chains[${index}]`));
  if (fallback !== undefined) chains.push(chain(fallback, 'default_filter_chain'));
  return chains;
}

function newChains(listener: Listener): ChainChange[] {
  return chainsOf(listener).map(({ name }) => ({ name, change: 'added', connections: 0 }));
}

function compareChains(
  before: Listener,
  after: Listener,
  counts: ReadonlyMap<string, number>,
  inPlace: boolean,
): ChainChange[] {
  const [old, young] = [chainsOf(before), chainsOf(after)];
  const keys = new Set(young.map(({ key }) => key));
  const names = new Set(young.map(({ name }) => name));
  const oldNames = new Set(old.map(({ name }) => name));
  const oldKeys = new Set(old.map(({ key }) => key));
  const changes = old.map(({ name, key }): ChainChange => {
    const kept = inPlace && keys.has(key);
    const change = kept ? 'kept' : names.has(name) || keys.has(key) ? 'changed' : 'removed';
    return { name, change, connections: counts.get(key) ?? 0 };
  });
  for (const { name, key } of young) {
    if (!oldNames.has(name) && !oldKeys.has(key)) changes.push({ name, change: 'added', connections: 0 });
  }
  return changes;
}

function rejected(name: string, { path, reason }: ConfigError): ApiResult {
  const { json } = answer(name, 'rejected', 'it would be refused, and what serves would serve on');
  return { json: { ...json, error: { path, reason } } };
}

function answer(
  name: string,
  verdict: string,
  reason: string,
  chains: readonly ChainChange[] = [],
  changes: readonly Difference[] = [],
): { readonly json: { [field: string]: Json } } {
  const sum = (kept: boolean): number =>
    chains.reduce((total, each) => total + ((each.change === 'kept') === kept ? each.connections : 0), 0);
  const json = {
    name,
    verdict,
    reason,
    connections: { draining: sum(false), staying: sum(true) },
    filter_chains: chains.map((each) => ({ ...each })),
    changes: changes.map(({ path, before, after }) => ({
      path,
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    })),
  };
  return { json };
}
