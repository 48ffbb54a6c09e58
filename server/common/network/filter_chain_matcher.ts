// The other way to choose a filter chain: a matcher tree over facts of the connection, whose actions name chains
// (Listener.filter_chain_matcher). Envoy: FilterChainManagerImpl::findFilterChainUsingMatcher,
// source/common/network/matching/inputs.h.

import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { Matcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { ConnectionInfo } from '../../api/stream_info.ts';
import { connectionInput, NETWORK_INPUTS } from '../matcher/connection_inputs.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { compileMatchTree, type MatchInput, type MatchTree } from '../matcher/match_tree.ts';
import { type FilterChainEntry, type FilterChainMatcher, transportProtocol } from './filter_chain_match.ts';

const ACTION_TYPE = 'google.protobuf.StringValue';

function compileInput(config: TypedExtensionConfig, path: string): MatchInput<ConnectionInfo> {
  const where = at(path, 'typed_config');
  if (config.typed_config === undefined) throw new ConfigError(where, 'value is required');
  const decoded = decodeAny(config.typed_config, where);
  const { typeName, message } = decoded;
  switch (typeName) {
    case `${NETWORK_INPUTS}FilterStateInput`: {
      const key = String(message.key);
      return {
        name: `filter state ${key}`,
        get: ({ filterState }) => filterState.get(key)?.serializeAsString(),
      };
    }
    case `${NETWORK_INPUTS}TransportProtocolInput`:
      return { name: 'TransportProtocol', get: (info) => latin1(transportProtocol(info)) };
    case `${NETWORK_INPUTS}ApplicationProtocolInput`:
      return {
        name: 'ApplicationProtocol',
        get: ({ requestedApplicationProtocols: protocols }) =>
          protocols.length === 0 ? undefined : latin1(protocols.map((protocol) => `'${protocol}'`).join(',')),
      };
  }
  const input = connectionInput(decoded, (connection: ConnectionInfo) => ({
    connection,
    remoteAddress: connection.remoteAddress,
  }));
  if (input !== undefined) return input;
  throw new ConfigError(
    where,
    `Didn't find a registered implementation for '${config.name}' with type URL: '${typeName}'`,
  );
}

function latin1(text: string | undefined): string | undefined {
  return text === undefined ? undefined : latin1Of(text);
}

/** The name of a filter chain. */
function compileAction(config: TypedExtensionConfig, path: string): string {
  const where = at(path, 'typed_config');
  const decoded = config.typed_config && decodeAny(config.typed_config, where);
  if (decoded?.typeName === ACTION_TYPE) return String(decoded.message.value);
  throw new ConfigError(
    where,
    `Didn't find a registered implementation for '${config.name}' with type URL: '${decoded?.typeName ?? ''}'`,
  );
}

class TreeFilterChainMatcher<T> implements FilterChainMatcher<T> {
  readonly #tree: MatchTree<ConnectionInfo, string>;
  readonly #chains: ReadonlyMap<string, T>;
  readonly #default: T | undefined;

  constructor(
    tree: MatchTree<ConnectionInfo, string>,
    chains: ReadonlyMap<string, T>,
    defaultChain: T | undefined,
  ) {
    this.#tree = tree;
    this.#chains = chains;
    this.#default = defaultChain;
  }

  /** The default chain is for connections that the tree leads nowhere; a name that no chain has is no chain. */
  find(info: ConnectionInfo): T | undefined {
    const name = this.#tree.match(info);
    return name === undefined ? this.#default : this.#chains.get(name);
  }

  explain(info: ConnectionInfo): ExplainNode {
    const name = this.#tree.match(info);
    const fallback = this.#default === undefined ? 'no filter chain' : 'the default filter chain';
    const chosen =
      name !== undefined && this.#chains.has(name) ? `filter chain '${name}'` : 'no filter chain';
    const reason = name === undefined ? fallback : chosen;
    return {
      what: 'filter chain matcher',
      matched: name !== undefined && this.#chains.has(name),
      reason,
      children: [this.#tree.explain(info)],
    };
  }
}

/**
 * Compiles Listener.filter_chain_matcher; `path` is the listener's. Chains are found by name: each needs one of its own, and
 * its filter_chain_match counts for nothing. Throws ConfigError.
 */
export function compileFilterChainMatcher<T>(
  matcher: Matcher,
  entries: readonly FilterChainEntry<T>[],
  defaultChain: T | undefined,
  context: FactoryContext,
  path: string,
): FilterChainMatcher<T> {
  const chains = new Map<string, T>();
  entries.forEach(({ name, chain }, index) => {
    const where = at(at(at(path, 'filter_chains'), index), 'name');
    if (name === '') throw new ConfigError(where, '"name" field is required when using a listener matcher');
    if (chains.has(name)) throw new ConfigError(where, `"name" field is duplicated with value '${name}'`);
    chains.set(name, chain);
  });
  const tree = compileMatchTree(
    matcher,
    { input: compileInput, action: compileAction, context },
    at(path, 'filter_chain_matcher'),
  );
  return new TreeFilterChainMatcher(tree, chains, defaultChain);
}
