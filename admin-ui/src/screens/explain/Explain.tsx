// Where would this request go, and why? Paste a curl line, or come from a kept request; the proxy walks its live matchers.

import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { postJson } from '../../api/client.ts';
import type { Explanation } from '../../api/explainTypes.ts';
import { EmptyState, Failed, Waiting } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { useUrlParams } from '../../url.ts';
import { ExplanationView } from './ExplanationView.tsx';
import './explain.css';

/** What is asked for, from the URL; undefined while there is nothing to ask. */
function bodyOf(curl: string, captured: string, listener: string, source: string): object | undefined {
  const connection = {
    ...(listener !== '' && { listener }),
    ...(source !== '' && { source }),
  };
  const more = Object.keys(connection).length > 0 ? { connection } : {};
  if (captured !== '') return { captured };
  return curl === '' ? undefined : { curl, ...more };
}

export function Screen() {
  const [params, change] = useUrlParams();
  const { curl = '', captured = '', listener = '', source = '' } = params;
  const body = bodyOf(curl, captured, listener, source);
  const { data, error, isFetching } = useQuery({
    queryKey: ['/api/explain', body],
    queryFn: () => postJson<Explanation>('/api/explain', body),
    enabled: body !== undefined,
  });
  return (
    <div className="screen">
      <ScreenHead title="Explain" />
      {captured === '' ? (
        <Question
          key={`${curl} ${listener} ${source}`}
          asked={{ curl, listener, source }}
          onAsk={(asked) => change(asked, 'push')}
        />
      ) : (
        <p>
          The kept request{' '}
          <ScreenLink screen="/traffic" params={{ request: captured }} className="mono">
            {captured}
          </ScreenLink>
          , as it would go now. <ScreenLink screen="/explain">Ask about another</ScreenLink>
        </p>
      )}
      {body === undefined && (
        <EmptyState title="Paste what you would send">
          The proxy tells which listener, filter chain, virtual host, route, cluster and hosts it takes, why,
          and what was passed over on the way. Nothing is sent.
        </EmptyState>
      )}
      {error !== null && <Failed error={error} />}
      {data === undefined ? isFetching && <Waiting /> : <ExplanationView explanation={data} />}
    </div>
  );
}

interface Asked {
  readonly curl: string;
  readonly listener: string;
  readonly source: string;
}

function Question({
  asked,
  onAsk,
}: {
  asked: Asked;
  onAsk: (asked: { [Name in keyof Asked]: string }) => void;
}) {
  const [curl, setCurl] = useState(asked.curl);
  const [listener, setListener] = useState(asked.listener);
  const [source, setSource] = useState(asked.source);
  useEffect(() => setCurl(asked.curl), [asked.curl]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onAsk({ curl: curl.trim(), listener: listener.trim(), source: source.trim() });
  };
  return (
    <form className="explain-question" onSubmit={submit}>
      <label className="explain-curl">
        <span>Request, as curl would send it</span>
        <textarea
          className="field mono"
          rows={3}
          value={curl}
          placeholder="curl -H 'x-version: v2' http://reviews.default:9080/reviews/1"
          spellCheck={false}
          onChange={(event) => setCurl(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event);
          }}
        />
      </label>
      <div className="explain-more">
        <label>
          <span>Listener, if not the one its address leads to</span>
          <input
            className="field mono"
            value={listener}
            spellCheck={false}
            onChange={(event) => setListener(event.target.value)}
          />
        </label>
        <label>
          <span>From the address</span>
          <input
            className="field mono"
            value={source}
            placeholder="10.0.0.7"
            spellCheck={false}
            onChange={(event) => setSource(event.target.value)}
          />
        </label>
        <button type="submit" className="button button-primary" disabled={curl.trim() === ''}>
          Explain
        </button>
      </div>
    </form>
  );
}
