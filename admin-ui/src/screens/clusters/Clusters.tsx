// Clusters: a list of them all, or one with its hosts.

import { openDump } from '../../api/dump.ts';
import { ResourceList } from '../../components/ResourceList.tsx';
import { useUrlParams } from '../../url.ts';
import { ClusterDetail } from './ClusterDetail.tsx';
import { ClusterList } from './ClusterList.tsx';

export function Screen() {
  const [{ cluster }] = useUrlParams();
  if (cluster === undefined && openDump() !== undefined)
    return (
      <ResourceList
        title="Clusters"
        kind="cluster"
        link={(name) => ({ screen: '/clusters', params: { cluster: name } })}
      />
    );
  return cluster === undefined ? <ClusterList /> : <ClusterDetail key={cluster} name={cluster} />;
}
