// The way of a connection as nested lists: for those who do not see the graph, and for narrow displays.

import { ScreenLink } from '../../components/ScreenLink.tsx';
import type { Flow, FlowNode } from './useChainFlow.ts';

export function ChainTree({ flow }: { flow: Flow }) {
  return (
    <ul className="listeners-tree">
      <Branch flow={flow} id={flow.start} above={[]} />
    </ul>
  );
}

function Branch({ flow, id, above }: { flow: Flow; id: string; above: readonly string[] }) {
  const node = flow.nodes.get(id);
  if (node === undefined || above.includes(id)) return null;
  return (
    <li>
      <NodeLine node={node} />
      {node.next.length > 0 && (
        <ul>
          {node.next.map((next) => (
            <Branch key={next} flow={flow} id={next} above={[...above, id]} />
          ))}
        </ul>
      )}
    </li>
  );
}

function NodeLine({ node: { kind, title, lines, live, tone, link } }: { node: FlowNode }) {
  const name = <span className="mono">{title}</span>;
  return (
    <div className="listeners-tree-line">
      <span className="quiet">{kind}</span>{' '}
      {link === undefined ? name : <ScreenLink {...link}>{name}</ScreenLink>}{' '}
      {live !== undefined && <strong className={tone}>{live}</strong>}{' '}
      <span className={tone === undefined || live !== undefined ? 'quiet' : tone}>{lines.join(', ')}</span>
    </div>
  );
}
