// The way of a connection as a graph, from left to right. Loaded with the first listener that is looked at.

import dagre from '@dagrejs/dagre';
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
} from '@xyflow/react';
import { useMemo } from 'react';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import type { Flow, FlowNode } from './useChainFlow.ts';
import '@xyflow/react/dist/base.css';

const WIDTH = 232;
/** Of a title; longer ones take two lines. */
const TITLE_CHARS = 27;
const LINE = 17;
/** Kind, title and padding. */
const HEAD = 50;
const MAX_LINES = 5;
const GAP = { ranks: 44, nodes: 14 };
const HEIGHT = { least: 160, most: 620 };
/** Above, and below with the buttons. */
const MARGINS = 72;

const START = { x: 12, y: 12, zoom: 0.85 };

type BoxNode = Node<{ readonly node: FlowNode }, 'box'>;

const NODE_TYPES = { box: Box };

export function ChainGraph({ flow }: { flow: Flow }) {
  const shape = [...flow.nodes.values()].map(({ id, next }) => `${id}>${next}`).join('|');
  // biome-ignore lint/correctness/useExhaustiveDependencies: numbers change all the time, boxes stay where they are
  const layout = useMemo(() => layoutOf(flow), [shape]);
  const nodes: BoxNode[] = [...flow.nodes.values()].map((node) => ({
    id: node.id,
    type: 'box',
    position: layout.positions.get(node.id) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: heightOf(node),
    data: { node },
    draggable: false,
    connectable: false,
    selectable: false,
    focusable: false,
  }));
  const edges: Edge[] = [...flow.nodes.values()].flatMap(({ id, next }) =>
    next.map((target) => ({
      id: `${id} ${target}`,
      source: id,
      target,
      focusable: false,
      markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14 },
    })),
  );
  // Where there is little room, it begins at the listener, and is pushed about.
  const wide = !matchMedia('(max-width: 60rem)').matches;
  const height = Math.min(HEIGHT.most, Math.max(HEIGHT.least, layout.height + MARGINS));
  return (
    <div className="listeners-graph" style={{ height }}>
      <ReactFlow
        key={shape}
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        fitView={wide}
        defaultViewport={START}
        fitViewOptions={{ maxZoom: 1, padding: { x: '16px', top: '16px', bottom: '48px' } }}
        minZoom={0.3}
        maxZoom={1.5}
        preventScrolling={false}
        zoomOnScroll={false}
        nodesFocusable={false}
        edgesFocusable={false}
        aria-label="From connection to host; the tree says the same"
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} size={1} />
        <Controls showInteractive={false} position="bottom-left" />
      </ReactFlow>
    </div>
  );
}

function layoutOf(flow: Flow): { positions: ReadonlyMap<string, { x: number; y: number }>; height: number } {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', ranksep: GAP.ranks, nodesep: GAP.nodes });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of flow.nodes.values()) graph.setNode(node.id, { width: WIDTH, height: heightOf(node) });
  for (const { id, next } of flow.nodes.values()) {
    for (const target of next) if (flow.nodes.has(target)) graph.setEdge(id, target);
  }
  dagre.layout(graph);
  const positions = new Map<string, { x: number; y: number }>();
  for (const node of flow.nodes.values()) {
    const { x, y } = graph.node(node.id);
    positions.set(node.id, { x: x - WIDTH / 2, y: y - heightOf(node) / 2 });
  }
  return { positions, height: graph.graph().height ?? 0 };
}

function heightOf({ title, lines, live }: FlowNode): number {
  const more = title.length > TITLE_CHARS ? LINE : 0;
  return HEAD + more + LINE * (Math.min(lines.length, MAX_LINES) + (live === undefined ? 0 : 1));
}

function Box({ data: { node } }: NodeProps<BoxNode>) {
  const { kind, title, lines, live, tone = '', link } = node;
  const shown =
    lines.length > MAX_LINES
      ? [...lines.slice(0, MAX_LINES - 1), `and ${lines.length - MAX_LINES + 1} more`]
      : lines;
  return (
    <div className={`listeners-box ${tone === '' ? '' : `listeners-box-${tone}`}`} title={title}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <div className="listeners-box-kind">{kind}</div>
      <div className="listeners-box-title mono">
        {link === undefined ? title : <ScreenLink {...link}>{title}</ScreenLink>}
      </div>
      {live !== undefined && (
        <div className={`listeners-box-line ${tone}`}>
          <strong>{live}</strong>
        </div>
      )}
      {shown.map((line) => (
        <div key={line} className="listeners-box-line quiet">
          {line}
        </div>
      ))}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}
