// Where the time of a request went: a bar for each phase that it reached. The same as a table, since that is what it is.

import type { Phase, RequestDetail } from '../../api/requestTypes.ts';
import { milliseconds } from '../../format.ts';

const TITLES: Readonly<Record<string, string>> = {
  receive_request: 'Receive the request',
  choose_and_wait: 'Choose a host, wait for a connection',
  connect: 'Connect',
  handshake: 'TLS handshake',
  send_request: 'Send the request',
  wait_for_response: 'Wait for the response',
  receive_response: 'Receive the response',
  send_response: 'Send the response',
};
/** Of 100: a phase of no length is still to be seen. */
const NARROWEST = 0.4;

export function Waterfall({ request }: { request: RequestDetail }) {
  const total = Math.max(request.duration_ms, ...request.phases.map(({ end_ms }) => end_ms), 0.001);
  const longest = request.phases.reduce<Phase | undefined>(
    (best, phase) => (best === undefined || lengthOf(phase) > lengthOf(best) ? phase : best),
    undefined,
  );
  return (
    <table className="waterfall">
      <thead className="visually-hidden">
        <tr>
          <th scope="col">Phase</th>
          <th scope="col">When</th>
          <th scope="col">Took</th>
        </tr>
      </thead>
      <tbody>
        {request.phases.map((phase) => (
          <tr key={phase.name} className={phase === longest ? 'waterfall-longest' : ''}>
            <th scope="row">{TITLES[phase.name] ?? phase.name}</th>
            <td>
              <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                <rect
                  x={Math.min((phase.start_ms / total) * 100, 100 - NARROWEST)}
                  width={Math.max((lengthOf(phase) / total) * 100, NARROWEST)}
                  height="1"
                />
              </svg>
              <span className="visually-hidden">
                from {milliseconds(phase.start_ms)} to {milliseconds(phase.end_ms)}
              </span>
            </td>
            <td className="number">{milliseconds(lengthOf(phase))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function lengthOf({ start_ms, end_ms }: Phase): number {
  return end_ms - start_ms;
}
