// Envoy's /init_dump: what each warming resource waits for.

import { LIVE_MS, useAnswer } from '../../api/queries.ts';

interface InitDump {
  readonly unready_targets_dumps?: readonly {
    readonly name: string;
    readonly target_names?: readonly string[];
  }[];
}

export function Unready() {
  const { data } = useAnswer<InitDump>('/init_dump', {}, { every: LIVE_MS });
  const dumps = data?.unready_targets_dumps?.filter(({ target_names: names = [] }) => names.length > 0) ?? [];
  return dumps.map(({ name, target_names: names = [] }) => (
    <p key={name}>
      <span className="mono">{name}</span> waits for <span className="mono">{names.join(', ')}</span>
    </p>
  ));
}
