// What istiod sends for the modes of a PeerAuthentication, made of what it sent for PERMISSIVE, and what it sends where other
// identities are expected. Istio: pilot/pkg/networking/core/listener_inbound.go (filter chain match options by mode).

interface Chain {
  readonly name?: string;
  readonly transportSocket?: object;
  readonly filterChainMatch?: { readonly transportProtocol?: string };
}

interface Listener {
  readonly filterChains: readonly Chain[];
}

/** The one chain that goes on asking for ALPNs when there is no plaintext left to tell apart. */
const HTTP_BY_ALPN = 'virtualInbound-catchall-http';

/** `listener` is virtualInbound. STRICT has the chains with TLS only, whatever the ALPN; DISABLE those without. */
export function inMode(listener: object, mode: 'STRICT' | 'DISABLE'): object {
  const { filterChains } = listener as Listener;
  const chains = filterChains.filter(({ filterChainMatch: match, transportSocket }) => {
    // The chain for port 15006 itself, in every mode.
    if (match?.transportProtocol === undefined) return true;
    return mode === 'STRICT' ? transportSocket !== undefined : match.transportProtocol === 'raw_buffer';
  });
  if (mode === 'DISABLE') return { ...listener, filterChains: chains };
  return {
    ...listener,
    filterChains: chains.map((chain) => {
      if (chain.name === HTTP_BY_ALPN) return chain;
      return { ...chain, filterChainMatch: { ...chain.filterChainMatch, applicationProtocols: [] } };
    }),
  };
}

/** With `to` in place of `from` wherever it names an identity. */
export function withIdentity(resource: object, from: string, to: string): object {
  return JSON.parse(JSON.stringify(resource).replaceAll(from, to)) as object;
}
