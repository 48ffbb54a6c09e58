// Requests that the proxy kept: the last that failed, the slowest, and live ones while somebody watches. One of them in full.

import { useUrlParam } from '../../url.ts';
import { RequestList } from './RequestList.tsx';
import { RequestScreen } from './RequestScreen.tsx';

export function Screen() {
  const [id] = useUrlParam('request');
  return id === '' ? <RequestList /> : <RequestScreen id={id} />;
}
