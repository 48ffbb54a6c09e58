// The outlier detection event log: a line of JSON for each ejection and each return of a host.
// Envoy: EventLoggerImpl of source/common/upstream/outlier_detection_impl.cc; document: data.cluster.v3.OutlierDetectionEvent.

import type { LogFile } from '../../api/registry.ts';
import type { LoggedType } from './ejection_types.ts';
import type { HostMonitor } from './host_monitor.ts';
import type { SuccessRates } from './outlier_detector.ts';

/** Which host of which cluster. */
export interface EventSubject {
  readonly clusterName: string;
  /** Its address as text. */
  readonly upstreamUrl: string;
  readonly monitor: HostMonitor;
}

export class OutlierEventLogger {
  readonly #file: LogFile;

  constructor(file: LogFile) {
    this.#file = file;
  }

  logEject(subject: EventSubject, type: LoggedType, enforced: boolean, rates: SuccessRates): void {
    this.#write(
      subject,
      type,
      subject.monitor.ejection.lastEnd,
      'EJECT',
      enforced,
      eventOf(subject, type, rates),
    );
  }

  logUneject(subject: EventSubject): void {
    this.#write(subject, 'CONSECUTIVE_5XX', subject.monitor.ejection.lastBegin, 'UNEJECT', false, {});
  }

  /** `since`: the opposite action before, ms of the monotonic clock. Fields in the order of the message, defaults too. */
  #write(
    { clusterName, upstreamUrl, monitor }: EventSubject,
    type: LoggedType,
    since: number | undefined,
    action: 'EJECT' | 'UNEJECT',
    enforced: boolean,
    event: object,
  ): void {
    const seconds = since === undefined ? undefined : Math.floor((performance.now() - since) / 1000);
    const line = {
      type,
      timestamp: new Date().toISOString(),
      ...(seconds !== undefined && { secs_since_last_action: String(seconds) }),
      cluster_name: clusterName,
      upstream_url: upstreamUrl,
      action,
      num_ejections: monitor.numEjections,
      enforced,
      ...event,
    };
    this.#file.write(`${JSON.stringify(line)}\n`);
  }
}

function eventOf({ monitor }: EventSubject, type: LoggedType, { average, threshold }: SuccessRates): object {
  switch (type) {
    case 'SUCCESS_RATE':
    case 'SUCCESS_RATE_LOCAL_ORIGIN': {
      const rate = monitor.successRate[type === 'SUCCESS_RATE' ? 'external' : 'local'];
      return {
        eject_success_rate_event: {
          host_success_rate: Math.trunc(rate),
          cluster_average_success_rate: Math.trunc(average),
          cluster_success_rate_ejection_threshold: Math.trunc(threshold),
        },
      };
    }
    case 'FAILURE_PERCENTAGE':
    case 'FAILURE_PERCENTAGE_LOCAL_ORIGIN': {
      const rate = monitor.successRate[type === 'FAILURE_PERCENTAGE' ? 'external' : 'local'];
      return { eject_failure_percentage_event: { host_success_rate: Math.trunc(rate) } };
    }
    default:
      return { eject_consecutive_event: {} };
  }
}
