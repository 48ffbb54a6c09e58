// THE list of screens: a line each, in the order of the navigation. The router, the navigation, the palette and the keys all
// come from it. `load` brings the module when the screen is first opened; it exports `Screen`.

import type { ComponentType } from 'react';

export interface ScreenEntry {
  readonly path: string;
  readonly title: string;
  /** After `g`. */
  readonly key: string;
  readonly group: 'now' | 'configuration' | 'proxy';
  readonly load: () => Promise<{ readonly Screen: ComponentType }>;
  /** Also tells something about an opened /config_dump file. */
  readonly worksOnDump?: boolean;
}

export const SCREENS: readonly ScreenEntry[] = [
  { path: '/', title: 'Overview', key: 'o', group: 'now', load: () => import('./overview/Overview.tsx') },
  { path: '/traffic', title: 'Traffic', key: 't', group: 'now', load: () => import('./traffic/Traffic.tsx') },
  {
    path: '/explain',
    title: 'Explain',
    key: 'e',
    group: 'now',
    load: () => import('./explain/Explain.tsx'),
    worksOnDump: true,
  },
  {
    path: '/listeners',
    title: 'Listeners',
    key: 'l',
    group: 'configuration',
    load: () => import('./listeners/Listeners.tsx'),
    worksOnDump: true,
  },
  {
    path: '/routes',
    title: 'Routes',
    key: 'r',
    group: 'configuration',
    load: () => import('./routes/Routes.tsx'),
    worksOnDump: true,
  },
  {
    path: '/clusters',
    title: 'Clusters',
    key: 'c',
    group: 'configuration',
    load: () => import('./clusters/Clusters.tsx'),
    worksOnDump: true,
  },
  {
    path: '/secrets',
    title: 'Secrets',
    key: 's',
    group: 'configuration',
    load: () => import('./secrets/Secrets.tsx'),
    worksOnDump: true,
  },
  {
    path: '/config',
    title: 'Config',
    key: 'v',
    group: 'configuration',
    load: () => import('./config/Config.tsx'),
    worksOnDump: true,
  },
  { path: '/stats', title: 'Stats', key: 'm', group: 'proxy', load: () => import('./stats/Stats.tsx') },
  { path: '/xds', title: 'xDS', key: 'x', group: 'proxy', load: () => import('./xds/Xds.tsx') },
  {
    path: '/runtime',
    title: 'Runtime',
    key: 'u',
    group: 'proxy',
    load: () => import('./runtime/Runtime.tsx'),
  },
];
