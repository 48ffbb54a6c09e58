// Why a request ended as it did: what each response flag means here and now, what shows it, and what to change.

import type { ReactNode } from 'react';
import type { FlagExplanation } from '../../api/requestTypes.ts';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ResourceLink } from '../../components/ResourceLink.tsx';

export function Explanations({ explanations }: { explanations: readonly FlagExplanation[] }) {
  return explanations.map((each) => (
    <section className="explanation" key={`${each.flag} ${each.title}`}>
      <h3>
        {each.flag !== '' && (
          <>
            <span className="mono">{each.flag}</span>{' '}
          </>
        )}
        {each.title}
      </h3>
      <p>{each.reason}</p>
      {each.evidence.length > 0 && (
        <KeyValues items={each.evidence.map((evidence) => [evidence.name, valueOfEvidence(evidence)])} />
      )}
      {each.advice.length > 0 && (
        <ul className="advice">
          {each.advice.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {each.live && <p className="quiet">From the state of the proxy now, which may have changed since.</p>}
    </section>
  ));
}

function valueOfEvidence({ value, link }: FlagExplanation['evidence'][number]): ReactNode {
  return <ResourceLink link={link}>{value}</ResourceLink>;
}
