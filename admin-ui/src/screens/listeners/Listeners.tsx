// Listeners: a list of them all, or one with what it does with its connections.

import { openDump } from '../../api/dump.ts';
import { ResourceList } from '../../components/ResourceList.tsx';
import { useUrlParams } from '../../url.ts';
import { ListenerDetail } from './ListenerDetail.tsx';
import { ListenerList } from './ListenerList.tsx';

export function Screen() {
  const [{ listener }] = useUrlParams();
  if (listener === undefined && openDump() !== undefined)
    return (
      <ResourceList
        title="Listeners"
        kind="listener"
        link={(name) => ({ screen: '/listeners', params: { listener: name } })}
      />
    );
  return listener === undefined ? <ListenerList /> : <ListenerDetail key={listener} name={listener} />;
}
