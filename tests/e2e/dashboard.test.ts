// The dashboard of the demo under traffic.

import { DemoUnderTraffic } from './demo_under_traffic.ts';
import { WALKS } from './screens.ts';
import { walkThrough } from './walk.ts';

const walks = WALKS.filter(({ mesh }) => mesh !== true);

walkThrough('the dashboard of the demo', () => DemoUnderTraffic.start(), walks);
