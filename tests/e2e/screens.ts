// What is walked through: every screen of the dashboard, and what can be opened on it.

export interface Walk {
  /** Of the picture. */
  readonly name: string;
  /** Below /ui. */
  readonly path: string;
  /** Of a recorded mesh; else of the demo under traffic. */
  readonly mesh?: true;
  /** For its picture: of a proxy to which more has happened. */
  readonly troubled?: true;
  /** For its picture: what comes with time. */
  readonly waitMs?: number;
}

export const WALKS: readonly Walk[] = [
  { name: 'overview', path: '/' },
  { name: 'listeners', path: '/listeners' },
  { name: 'listener', path: '/listeners?listener=http&view=graph' },
  { name: 'listener-tree', path: '/listeners?listener=http&view=tree' },
  { name: 'routes', path: '/routes' },
  { name: 'route', path: '/routes?route=demo/demo/1' },
  { name: 'clusters', path: '/clusters' },
  { name: 'cluster', path: '/clusters?cluster=hello-v1', waitMs: 16_000 },
  { name: 'mesh-listeners', path: '/listeners', mesh: true },
  { name: 'mesh-inbound', path: '/listeners?listener=virtualInbound', mesh: true },
  { name: 'mesh-outbound', path: '/listeners?listener=0.0.0.0_9080&view=graph', mesh: true },
  { name: 'mesh-routes', path: '/routes', mesh: true },
  { name: 'mesh-clusters', path: '/clusters', mesh: true },
  { name: 'stats', path: '/stats?search=downstream_rq&pins=http.demo.downstream_rq_total', waitMs: 12_000 },
  { name: 'stat', path: '/stats?stat=http.demo.downstream_rq_time', waitMs: 30_000 },
  { name: 'traffic', path: '/traffic' },
  { name: 'traffic-failed', path: '/traffic?set=failed' },
  { name: 'explain', path: '/explain?curl=curl+http%3A%2F%2Flocalhost%2Fapi%2Fusers&listener=http' },
  { name: 'explain-no-route', path: '/explain?curl=curl+http%3A%2F%2Flocalhost%2Fnowhere&listener=http' },
  { name: 'config', path: '/config' },
  { name: 'config-version', path: '/config?id=1' },
  { name: 'config-resource', path: '/config?kind=route&name=demo&format=json' },
  { name: 'xds', path: '/xds', troubled: true },
  { name: 'secrets', path: '/secrets', troubled: true },
  { name: 'runtime', path: '/runtime' },
  { name: 'runtime-connections', path: '/runtime?view=connections' },
  { name: 'runtime-flags', path: '/runtime?view=flags' },
  { name: 'runtime-logs', path: '/runtime?view=logs' },
];
