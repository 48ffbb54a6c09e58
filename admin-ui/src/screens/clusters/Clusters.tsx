// Clusters: a list of them all, or one with its hosts.

import { useUrlParams } from '../../url.ts';
import { ClusterDetail } from './ClusterDetail.tsx';
import { ClusterList } from './ClusterList.tsx';

export function Screen() {
  const [{ cluster }] = useUrlParams();
  return cluster === undefined ? <ClusterList /> : <ClusterDetail key={cluster} name={cluster} />;
}
