// An explanation for the terminal: a line a step, what was rejected below it.

import type { ExplainStep, Explanation, HostShare } from './explanation.ts';

/** Of those that were rejected; --json has more. */
const SHOWN = 5;

export function explanationText(explanation: Explanation): string {
  const lines = [explanation.summary, ''];
  for (const step of explanation.steps) lines.push(...stepLines(step));
  if (explanation.clusters.length > 1) {
    lines.push('', 'Clusters');
    for (const { name, share } of explanation.clusters) lines.push(`  ${percent(share)}  ${name}`);
  }
  if (explanation.hosts.length > 0) lines.push('', 'Hosts', ...explanation.hosts.map(hostLine));
  const miss = explanation.nearest_miss;
  if (miss !== undefined) lines.push('', `Nearest miss: ${miss.hint}`);
  return `${lines.join('\n')}\n`;
}

function* stepLines(step: ExplainStep): Generator<string> {
  const found = step.found === '' ? '' : ` ${step.found}`;
  yield `${step.ok ? '+' : '-'} ${step.title}:${found}${step.reason === '' ? '' : ` (${step.reason})`}`;
  for (const { name, note, ok } of step.items ?? []) yield `    ${ok ? ' ' : '!'} ${name}: ${note}`;
  for (const { name, first_failed: failed } of step.rejected.slice(0, SHOWN))
    yield `    not ${name}: ${failed.what}; ${failed.reason}`;
  const more = Math.max(0, step.rejected.length - SHOWN) + step.rejected_more;
  if (more > 0) yield `    and ${more} more`;
}

function hostLine({ address, share, reason, chosen }: HostShare): string {
  return `  ${percent(share)}  ${address}${chosen ? ' (chosen)' : ''}  ${reason}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).padStart(5)} %`;
}
