// /api/routes: the routes in force as readable rules; those that no request can reach are marked.

import type { ApiEndpoint, Schema } from './endpoint.ts';
import { listParams, pageSchema } from './listing.ts';

const only = (name: string, description: string, schema: Schema = { type: 'string' }) =>
  ({ name, in: 'query', description, schema }) as const;

export const ROUTE_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/routes',
    summary: 'Routes in force, as readable rules; those that can never be reached are marked',
    params: [
      only('route_config', 'Only of this route configuration'),
      only('virtual_host', 'Only of this virtual host'),
      only('shadowed', 'Only those that another takes all requests of, or only others', {
        type: 'string',
        enum: ['true', 'false'],
      }),
      ...listParams(['order', 'name', 'match', 'hits']),
    ],
    response: pageSchema({ $ref: '#/components/schemas/RouteRow' }),
    handle: async (params, context) => (await import('./route_answers.ts')).listRoutes(params, context),
  },
];
