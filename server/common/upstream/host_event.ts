// What workers notice of a host, and the main thread judges.

import type { Host } from './host.ts';
import type { OutlierEvent } from './outlier_monitor.ts';

/** What outlier detection is about; or an answer with `x-envoy-immediate-health-check-fail`. */
export type HostEvent = OutlierEvent | 'IMMEDIATE_HEALTH_CHECK_FAIL';

export type OnHostEvent = (host: Host, event: HostEvent) => void;
