// /api/session: who the caller is to the admin port; /api/login and /api/logout: a cookie for a token, and its end.

import { type ApiEndpoint, ApiError, type ApiSender, type Schema } from './endpoint.ts';

const SESSION: Schema = { $ref: '#/components/schemas/Session' };

export const SESSION_SCHEMAS: Readonly<Record<string, Schema>> = {
  Session: {
    type: 'object',
    required: ['role', 'by', 'can_write', 'credentials_needed', 'login'],
    additionalProperties: false,
    properties: {
      role: {
        type: 'string',
        enum: ['none', 'viewer', 'admin'],
        description: 'viewer sees everything, admin may change things, none has to show credentials first',
      },
      by: {
        type: 'string',
        enum: ['nothing', 'loopback', 'token', 'session', 'certificate'],
        description: 'What the role comes from; session: the cookie of a login',
      },
      can_write: { type: 'boolean' },
      credentials_needed: { type: 'boolean', description: 'The server was started with credentials' },
      login: { type: 'boolean', description: 'A token can be shown to /api/login' },
    },
  },
};

export const SESSION_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/session',
    summary: 'The role of the caller. Answers everybody',
    params: [],
    response: SESSION,
    handle: (_params, _context, _body, from) => ({ json: sessionOf(from) }),
  },
  {
    path: '/api/login',
    method: 'POST',
    summary: 'Sets a cookie that stands for the token. Answers everybody',
    params: [],
    body: {
      type: 'object',
      required: ['token'],
      additionalProperties: false,
      properties: { token: { type: 'string' } },
    },
    response: SESSION,
    handle: (_params, _context, body, { access, message }) => {
      const role = access.roleOfToken(String(body['token']));
      if (role === undefined) throw new ApiError(401, 'this is not a token');
      const json = sessionOf({ access, message, caller: { role, by: 'session' } });
      return { json, headers: { 'set-cookie': access.cookie(message, role) } };
    },
  },
  {
    path: '/api/logout',
    method: 'POST',
    summary: 'Ends the session of the cookie. Answers everybody',
    params: [],
    response: { type: 'object' },
    handle: (_params, _context, _body, { access, message }) => ({
      json: {},
      headers: { 'set-cookie': access.cookie(message, undefined) },
    }),
  },
];

function sessionOf({ caller, access }: ApiSender) {
  return {
    role: caller.role,
    by: caller.by,
    can_write: caller.role === 'admin',
    credentials_needed: access.credentialsNeeded,
    login: access.hasTokens,
  };
}
