// What workers notice of a host, and the main thread judges.

import type { Host } from './host.ts';
import type { ConsecutiveError } from './outlier_monitor.ts';

/** Enough errors in a row for outlier detection; or an answer with `x-envoy-immediate-health-check-fail`. */
export type HostEvent = ConsecutiveError | 'IMMEDIATE_HEALTH_CHECK_FAIL';

export type OnHostEvent = (host: Host, event: HostEvent) => void;
