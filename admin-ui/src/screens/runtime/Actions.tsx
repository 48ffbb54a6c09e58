// What can be done with the whole proxy: Envoy's own calls, each after a question.

import { postText } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import './runtime.css';

const ACTIONS = [
  {
    action: 'Fail health checks',
    path: '/healthcheck/fail',
    text: 'Health check filters answer 503 and /ready says DRAINING, so that load balancers in front send no more. Requests are still served.',
  },
  {
    action: 'Pass health checks',
    path: '/healthcheck/ok',
    text: 'Takes back what failing the health checks did.',
  },
  {
    action: 'Drain listeners',
    path: '/drain_listeners?graceful',
    text: 'Clients are asked to go, connection by connection, over the drain time; then the listeners close. This cannot be taken back without a restart.',
    dangerous: true,
  },
  {
    action: 'Reopen logs',
    path: '/reopen_logs',
    text: 'Closes the files of access logs and opens them anew, after they were moved.',
  },
  {
    action: 'Reset counters',
    path: '/reset_counters',
    text: 'Every counter begins at 0 again. Whoever computes rates from them sees a gap.',
    dangerous: true,
  },
] as const;

export function Actions({ canWrite }: { canWrite: boolean }) {
  return (
    <div className="runtime-actions">
      {ACTIONS.map(({ action, path, text, ...more }) => (
        <ConfirmDialog
          key={path}
          action={action}
          title={`${action}?`}
          disabled={!canWrite}
          dangerous={'dangerous' in more}
          onConfirm={async () => {
            const answer = await postText(path);
            await queryClient.invalidateQueries();
            return `${action}: ${answer.trim()}`;
          }}
        >
          <p>{text}</p>
        </ConfirmDialog>
      ))}
    </div>
  );
}
