// Builds the trees of reasons that the cold `explain()` twins of matchers return.

import type { ExplainNode } from '../../api/router.ts';

const NO_CHILDREN: readonly ExplainNode[] = Object.freeze([]);

/** A node without parts. */
export function leaf(what: string, matched: boolean, reason: string): ExplainNode {
  return { what, matched, reason, children: NO_CHILDREN };
}

/** True when every child is; stops at nothing, so that a reader sees all conditions that fail. */
export function allOf(what: string, children: readonly ExplainNode[]): ExplainNode {
  const failed = children.filter((child) => !child.matched);
  const reason =
    failed.length === 0 ? 'every condition holds' : `fails: ${failed.map((child) => child.what).join(', ')}`;
  return { what, matched: failed.length === 0, reason, children };
}

/** True when one child is. */
export function anyOf(what: string, children: readonly ExplainNode[]): ExplainNode {
  const found = children.find((child) => child.matched);
  const reason = found === undefined ? 'nothing of it holds' : `holds: ${found.what}`;
  return { what, matched: found !== undefined, reason, children };
}
