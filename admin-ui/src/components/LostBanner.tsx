// Says that the proxy does not answer, and how old what is shown has become; or asks for the token that it wants.

import { type FormEvent, useEffect, useState, useSyncExternalStore } from 'react';
import { getText, postJson } from '../api/client.ts';
import { currentConnection, observeConnection } from '../api/connection.ts';
import { queryClient } from '../api/queries.ts';
import { clock, duration } from '../format.ts';
import { useNow } from './TimeAgo.tsx';

/** ms between two tries to reach a proxy that is lost. */
const TRY_MS = 2_000;

export function LostBanner() {
  const { state } = useSyncExternalStore(observeConnection, currentConnection);
  if (state === 'lost') return <Lost />;
  return state === 'login' ? <Login /> : null;
}

function Lost() {
  const now = useNow();
  const { lastAnswerAt } = currentConnection();
  useEffect(() => {
    const timer = setInterval(() => {
      getText('/ready')
        // Not ready is an answer, too.
        .catch(() => undefined)
        .then(() => {
          if (currentConnection().state === 'ok') void queryClient.invalidateQueries();
        });
    }, TRY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="banner banner-bad" role="alert">
      <strong>The proxy does not answer.</strong>{' '}
      {lastAnswerAt > 0 && (
        <>
          What you see is {duration((now - lastAnswerAt) / 1000)} old, of {clock(lastAnswerAt)}. Trying again
          every {TRY_MS / 1000} s.
        </>
      )}
    </div>
  );
}

function Login() {
  const [token, setToken] = useState('');
  const [refused, setRefused] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    postJson('/api/login', { token: token.trim() }).then(
      () => queryClient.refetchQueries(),
      () => setRefused(true),
    );
  };
  return (
    <form className="banner banner-warn" onSubmit={submit}>
      <label htmlFor="token">
        {refused ? 'The proxy does not take this token.' : 'This proxy wants a token.'}
      </label>
      <input
        id="token"
        type="password"
        value={token}
        autoComplete="current-password"
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="submit" className="button">
        Log in
      </button>
    </form>
  );
}
