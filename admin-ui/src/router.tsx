// The router: every screen of the list below /ui/, each loaded when it is first opened.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { NoSuchScreen, ScreenFailed } from './components/ScreenFailed.tsx';
import { Shell } from './components/Shell.tsx';
import { SCREENS } from './screens/screens.ts';
import { parseUrlParams, urlParamsText } from './url.ts';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NoSuchScreen,
  errorComponent: ScreenFailed,
});

export const router = createRouter({
  routeTree: root.addChildren(
    SCREENS.map(({ path, load }) =>
      createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load, 'Screen') }),
    ),
  ),
  basepath: '/ui',
  parseSearch: parseUrlParams,
  stringifySearch: urlParamsText,
  defaultPreload: 'intent',
  defaultErrorComponent: ScreenFailed,
});
