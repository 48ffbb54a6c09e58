// Builds steps of an explanation: what is not said of one has its usual value; of many that were rejected the nearest are kept.

import type { ExplainNode } from '../../api/router.ts';
import {
  type ExplainStep,
  firstFailed,
  type NearestMiss,
  type Rejected,
  type StepName,
} from './explanation.ts';

/** More than these help nobody. */
export const MAX_REJECTED = 20;

type StepParts = Partial<Omit<ExplainStep, 'step'>>;

/** The way goes on. */
export function passed(
  step: StepName,
  title: string,
  found: string,
  reason: string,
  more: StepParts = {},
): ExplainStep {
  return { step, title, ok: true, found, reason, rejected: [], rejected_more: 0, ...more };
}

/** The way ends here. */
export function ended(step: StepName, title: string, reason: string, more: StepParts = {}): ExplainStep {
  return { step, title, ok: false, found: '', reason, rejected: [], rejected_more: 0, ...more };
}

export interface Candidate {
  readonly name: string;
  readonly node: ExplainNode;
  readonly distance?: number | undefined;
}

/** Rejected ones, the nearest first: by the share of conditions that hold, then by distance. Those that are equal keep their order. */
export function rejectedOf(
  candidates: readonly Candidate[],
): Pick<ExplainStep, 'rejected' | 'rejected_more'> {
  const sorted = candidates
    .map((candidate) => ({ candidate, failed: failedShare(candidate.node) }))
    .sort(
      (a, b) =>
        a.failed - b.failed || (a.candidate.distance ?? Infinity) - (b.candidate.distance ?? Infinity) || 0,
    );
  return {
    rejected: sorted.slice(0, MAX_REJECTED).map(({ candidate }) => rejected(candidate)),
    rejected_more: Math.max(0, sorted.length - MAX_REJECTED),
  };
}

function rejected({ name, node, distance }: Candidate): Rejected {
  const { what, reason } = firstFailed(node);
  return {
    name,
    first_failed: { what, reason },
    ...(distance !== undefined && { distance }),
    conditions: node,
  };
}

/** How many of its conditions do not hold. */
function failedShare(node: ExplainNode): number {
  return node.children.length === 0 ? 1 : node.children.filter((child) => !child.matched).length;
}

/** A name that nearly was the one asked for. */
export function nearestName(
  what: string,
  name: string,
  wanted: string,
  got: string,
  distance: number,
): NearestMiss {
  const edits = distance === 1 ? 'one character differs' : `${distance} characters differ`;
  return { name, what, wanted, got, distance, hint: `'${got}' is not '${wanted}': ${edits}` };
}
