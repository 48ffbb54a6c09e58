// Listeners: a list of them all, or one with what it does with its connections.

import { useUrlParams } from '../../url.ts';
import { ListenerDetail } from './ListenerDetail.tsx';
import { ListenerList } from './ListenerList.tsx';

export function Screen() {
  const [{ listener }] = useUrlParams();
  return listener === undefined ? <ListenerList /> : <ListenerDetail key={listener} name={listener} />;
}
