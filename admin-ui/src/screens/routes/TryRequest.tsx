// Which route would this request take, and if none: which came nearest, and what was missing.

import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { postJson } from '../../api/client.ts';
import type { RouteExplanation } from '../../api/types.ts';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { useUrlParam } from '../../url.ts';

export function TryRequest() {
  const [tried, setTried] = useUrlParam('try');
  const [text, setText] = useState(tried);
  useEffect(() => setText(tried), [tried]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTried(text.trim());
  };
  return (
    <form className="routes-try" onSubmit={submit}>
      <label htmlFor="try">Which route takes</label>
      <input
        id="try"
        className="field mono"
        value={text}
        placeholder="http://host/path"
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="button">
        Find
      </button>
      {tried !== '' && <Answer request={tried} />}
    </form>
  );
}

function Answer({ request }: { request: string }) {
  const url = /^[a-z]+:\/\//.test(request) ? request : `http://${request}`;
  const { data, error } = useQuery({
    queryKey: ['/api/explain', url],
    queryFn: () => postJson<RouteExplanation>('/api/explain', { request: { method: 'GET', url } }),
    retry: false,
  });
  if (error !== null) return <p className="routes-answer bad">{error.message}</p>;
  if (data === undefined) return <p className="routes-answer quiet">Asking</p>;
  const { result, nearest_miss: miss } = data;
  return (
    <output className="routes-answer">
      {data.summary}{' '}
      {result.route_index !== undefined && (
        <ScreenLink params={{ route: `${result.route_config}/${result.virtual_host}/${result.route_index}` }}>
          Route {result.route_index}
        </ScreenLink>
      )}
      {miss !== undefined && (
        <span className="quiet">
          Nearest: <span className="mono">{miss.name}</span>, but {miss.what} wanted{' '}
          <code>{miss.wanted}</code> and got <code>{miss.got}</code>. {miss.hint}
        </span>
      )}
    </output>
  );
}
