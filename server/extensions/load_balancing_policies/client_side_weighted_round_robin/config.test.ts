import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../../tests/fakes/factory_context.ts';
import type { ClientSideWeightedRoundRobin } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3.ts';
import { fromJson } from '../../../../xds-protos/json.ts';
import { ConfigError } from '../../../api/config_error.ts';
import { clientSideWeighting } from '../../../common/load_balancing/load_balancer_config.ts';
import { clientSideWeightedRoundRobinFactory } from './config.ts';

const TYPE =
  'envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin';

function outOfBand(config: object) {
  const message = fromJson<ClientSideWeightedRoundRobin>(TYPE, config);
  const settings = clientSideWeightedRoundRobinFactory.compile(message, fakeFactoryContext(), 'p') as {
    loadBalancer: Parameters<typeof clientSideWeighting>[0];
  };
  return clientSideWeighting(settings.loadBalancer)!.outOfBand;
}

describe('client_side_weighted_round_robin: reports out of band', () => {
  test('none unless they are asked for', () => {
    assert.equal(outOfBand({}), undefined);
    assert.equal(outOfBand({ enable_oob_load_report: false, oob_reporting_period: '1s' }), undefined);
  });

  test('every ten seconds, unless it says otherwise', () => {
    const periods = [undefined, '0s', '0.0001s', '0.0019s', '30s'].map(
      (oob_reporting_period) =>
        outOfBand({ enable_oob_load_report: true, ...(oob_reporting_period && { oob_reporting_period }) })!
          .periodMs,
    );
    assert.deepEqual(periods, [10_000, 10_000, 10_000, 1, 30_000]);
  });

  test('from another port, by another name, over another transport socket', () => {
    const oob_reporting_config = {
      port_value: 9001,
      authority: 'a',
      transport_socket_match_criteria: { b: 'c' },
    };
    assert.deepEqual(outOfBand({ enable_oob_load_report: true, oob_reporting_config }), {
      periodMs: 10_000,
      port: 9001,
      authority: 'a',
      transportSocketMatch: { b: 'c' },
    });
  });

  test('what cannot be is refused by name', () => {
    const refused: readonly (readonly [object, string])[] = [
      [{ oob_reporting_config: { port_value: 65_536 } }, 'p.oob_reporting_config.port_value'],
      [{ oob_reporting_period: '-1s' }, 'p.oob_reporting_period'],
      [{ blackout_period: '-0.5s' }, 'p.blackout_period'],
    ];
    for (const [config, path] of refused)
      assert.throws(
        () => outOfBand({ enable_oob_load_report: true, ...config }),
        (error) => error instanceof ConfigError && error.path === path,
      );
  });
});
