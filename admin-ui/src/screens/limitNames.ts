// Limits of circuit breakers as people call them.

import type { Breaker } from '../api/types.ts';

export const LIMIT_NAMES: Readonly<Record<Breaker['limit'], string>> = {
  max_connections: 'Connections',
  max_pending_requests: 'Pending requests',
  max_requests: 'Requests',
  max_retries: 'Retries',
  max_connection_pools: 'Connection pools',
};
