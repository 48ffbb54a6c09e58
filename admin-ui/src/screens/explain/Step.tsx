// One step of an explanation: what was found and why; opened, what was passed over and what each of its conditions said.

import type { ExplainNode, ExplainRejected, ExplainStep } from '../../api/explainTypes.ts';
import { Badge } from '../../components/Badge.tsx';
import { ResourceLink } from '../../components/ResourceLink.tsx';
import { count } from '../../format.ts';
import { Miss } from './ExplanationView.tsx';

export function Step({ step }: { step: ExplainStep }) {
  const { rejected = [], rejected_more: more = 0, items = [], tree, nearest_miss: miss, link } = step;
  const details = rejected.length + items.length > 0 || tree !== undefined;
  return (
    <li className={step.ok ? 'explain-step' : 'explain-step explain-step-bad'}>
      <h3>
        {step.title}
        {step.found !== '' && (
          <>
            {': '}
            <ResourceLink link={link}>{step.found}</ResourceLink>
          </>
        )}{' '}
        {!step.ok && <Badge tone="bad">ends here</Badge>}
      </h3>
      <p>{step.reason}</p>
      {miss !== undefined && <Miss miss={miss} />}
      {details && (
        <details open={!step.ok}>
          <summary>
            {rejected.length > 0 ? `${count(rejected.length + more)} passed over` : 'In detail'}
          </summary>
          {tree !== undefined && (
            <ul className="explain-tree">
              <Node node={tree} />
            </ul>
          )}
          {items.length > 0 && (
            <ul className="explain-items">
              {items.map(({ name, note, ok }) => (
                <li key={name} className={ok ? '' : 'bad'}>
                  <span className="mono">{name}</span> {note}
                </li>
              ))}
            </ul>
          )}
          <ul className="explain-rejected">
            {rejected.map((each) => (
              <Rejected key={each.name} rejected={each} />
            ))}
          </ul>
          {more > 0 && <p className="quiet">and {count(more)} more</p>}
        </details>
      )}
    </li>
  );
}

function Rejected({ rejected: { name, first_failed: failed, conditions } }: { rejected: ExplainRejected }) {
  return (
    <li>
      <span className="mono">{name}</span>
      {failed !== undefined && (
        <>
          {' '}
          <span className="quiet">
            {failed.what}: {failed.reason}
          </span>
        </>
      )}
      {conditions !== undefined && leaves(conditions) > 1 && (
        <ul className="explain-tree">
          <Node node={conditions} />
        </ul>
      )}
    </li>
  );
}

function Node({ node }: { node: ExplainNode }) {
  return (
    <li>
      <span className={node.matched ? 'good' : 'bad'}>{node.matched ? 'holds' : 'fails'}</span>{' '}
      <span className="mono">{node.what}</span> <span className="quiet">{node.reason}</span>
      {node.children.length > 0 && (
        <ul>
          {node.children.map((child, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: conditions have no names, and their order is theirs
            <Node key={place} node={child} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** A single condition was said already. */
function leaves({ children }: ExplainNode): number {
  return children.length === 0 ? 1 : children.reduce((sum, child) => sum + leaves(child), 0);
}
