import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host } from '../../../tests/fakes/hosts.ts';
import { create } from '../../../xds-protos/load.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { edsHealthFlags } from './load_assignment.ts';

describe('health by EDS', () => {
  const health = {
    UNKNOWN: 'healthy',
    HEALTHY: 'healthy',
    UNHEALTHY: 'unhealthy',
    DRAINING: 'unhealthy',
    TIMEOUT: 'unhealthy',
    DEGRADED: 'degraded',
  } as const;
  for (const [health_status, expected] of Object.entries(health)) {
    test(`${health_status} is ${expected}`, () => {
      const endpoint = create('envoy.config.endpoint.v3.LbEndpoint', {
        health_status: health_status as keyof typeof health,
      });
      const { table, slot, ...one } = host(1);
      table[slot + HostSlot.HealthFlags] = edsHealthFlags(endpoint);
      assert.equal(host(1, { ...one, table }).health, expected);
    });
  }
});
