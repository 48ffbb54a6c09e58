// Which route would this request take, and if none: which came nearest, and what was missing.

import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { postJson } from '../../api/client.ts';
import { useAnswer } from '../../api/queries.ts';
import type { ListenerRow, Page, RouteExplanation } from '../../api/types.ts';
import { ChoiceList } from '../../components/Choice.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { useUrlParam } from '../../url.ts';

/** Of these one is chosen from a list; with more, the address of the request has to say. */
const MAX_LISTENERS = 100;

export function TryRequest() {
  const [tried, setTried] = useUrlParam('try');
  const { data: listeners } = useAnswer<Page<ListenerRow>>('/api/listeners', { limit: MAX_LISTENERS });
  const names = (listeners?.items ?? [])
    .filter((each) => each.network_filters.includes('HttpConnectionManager'))
    .map(({ name }) => name);
  const [listener, setListener] = useUrlParam('on', names[0]);
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
      {names.length > 1 && (
        <ChoiceList
          label="on"
          value={listener}
          onChange={setListener}
          options={names.map((name) => ({ value: name, title: name }))}
        />
      )}
      <button type="submit" className="button">
        Find
      </button>
      {tried !== '' && listener !== '' && <Answer request={tried} listener={listener} />}
    </form>
  );
}

function Answer({ request, listener }: { request: string; listener: string }) {
  const url = /^[a-z]+:\/\//.test(request) ? request : `http://${request}`;
  const { data, error } = useQuery({
    queryKey: ['/api/explain', url, listener],
    queryFn: () =>
      postJson<RouteExplanation>('/api/explain', {
        request: { method: 'GET', url },
        connection: { listener },
      }),
    retry: false,
  });
  if (error !== null) return <p className="routes-answer bad">{error.message}</p>;
  if (data === undefined) return <p className="routes-answer quiet">Asking</p>;
  const { result, nearest_miss: miss } = data;
  const place = result.route_place ?? result.route_index;
  return (
    <output className="routes-answer">
      {data.summary}{' '}
      {place !== undefined && (
        <ScreenLink params={{ route: `${result.route_config}/${result.virtual_host}/${place}` }}>
          Route {place}
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
