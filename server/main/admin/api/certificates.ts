// /api/certificates: the certificates and trusted roots that serve, who uses each, and when it expires. Never a key.

import type { CertificateUse } from '../../status/certificates_in_use.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';
import { listParams, pageOf, pageSchema } from './listing.ts';

const TIME: Schema = { type: 'integer', description: 'ms since 1970' };
const TEXTS: Schema = { type: 'array', items: { type: 'string' } };

export const CERTIFICATE_SCHEMAS: Readonly<Record<string, Schema>> = {
  CertificateUse: {
    type: 'object',
    required: ['name', 'role', 'subject', 'issuer', 'serial_number', 'subject_alt_names', 'secret', 'path', 'valid_from', 'expires_at', 'used_by'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: 'Its first subject alternative name, or else its subject' },
      role: { type: 'string', enum: ['certificate', 'trusted_root'] },
      subject: { type: 'string' },
      issuer: { type: 'string' },
      serial_number: { type: 'string' },
      subject_alt_names: TEXTS,
      secret: { type: 'string', description: 'By whose name it came; empty where it is part of a resource' },
      path: { type: 'string', description: 'Of the file, or <inline>' },
      valid_from: TIME,
      expires_at: TIME,
      used_by: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kind', 'name'],
          additionalProperties: false,
          properties: { kind: { type: 'string', enum: ['listener', 'cluster'] }, name: { type: 'string' } },
        },
      },
    },
  },
}; // biome-ignore format: a table

export const CERTIFICATE_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/certificates',
    summary: 'Certificates and trusted roots in use, those that expire first at the top',
    params: listParams(['expires_at', 'name']),
    response: pageSchema({ $ref: '#/components/schemas/CertificateUse' }),
    handle: (params, context) => {
      const page = pageOf(context.certificateUses(), params, (use, by) =>
        by === 'name' ? use.name : use.expiresMs,
      );
      return { json: { ...page, items: page.items.map(useJson) } };
    },
  },
];

function useJson(use: CertificateUse) {
  return {
    name: use.name,
    role: use.role,
    subject: use.subject,
    issuer: use.issuer,
    serial_number: use.serialNumber,
    subject_alt_names: [...use.subjectAltNames],
    secret: use.secret,
    path: use.path,
    valid_from: use.validFromMs,
    expires_at: use.expiresMs,
    used_by: use.usedBy.map(({ kind, name }) => ({ kind, name })),
  };
}
