import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { ipAddress } from '../network/address.ts';
import { compileCluster } from './cluster_config.ts';
import { OriginalDstLoadBalancer } from './original_dst_load_balancer.ts';

function balancer(context: TestContext, more: object = {}): OriginalDstLoadBalancer {
  const json = { name: 'c', type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', ...more };
  const message = fromJson<ClusterMessage>('envoy.config.cluster.v3.Cluster', json as never);
  const result = new OriginalDstLoadBalancer(
    compileCluster(message, fakeFactoryContext(), ''),
    () => undefined,
  );
  context.after(() => result.close());
  return result;
}

/** A connection that was on its way to `ip:port`; `header`: what x-envoy-original-dst-host says. */
function to(ip: string, port: number, restored = true, header?: string): LoadBalancerContext {
  return {
    downstreamHeaders: { get: (name: string) => (name === 'x-envoy-original-dst-host' ? header : undefined) },
    downstreamConnection: { localAddress: ipAddress(ip, port), localAddressRestored: restored },
    hostSelectionRetryCount: 0,
  } as unknown as LoadBalancerContext;
}

const HEADER = { original_dst_lb_config: { use_http_header: true } };

describe('OriginalDstLoadBalancer', () => {
  test('goes where the client wanted to go, to one host for one address', (context) => {
    const lb = balancer(context);
    const host = lb.chooseHost(to('10.1.2.3', 80));
    assert.equal(host?.address.text, '10.1.2.3:80');
    assert.equal(lb.chooseHost(to('10.1.2.3', 80)), host);
    assert.notEqual(lb.chooseHost(to('10.1.2.3', 81)), host);
    assert.equal(lb.chooseHost(to('fd00::1', 80))?.address.text, '[fd00::1]:80');
  });

  test('a connection that was not redirected has no host', (context) => {
    const lb = balancer(context);
    assert.equal(lb.chooseHost(to('10.1.2.3', 80, false)), undefined);
    assert.equal(lb.chooseHost(undefined), undefined);
  });

  test('the header counts only where it is asked for, and only when it is an address', (context) => {
    assert.equal(
      balancer(context).chooseHost(to('10.0.0.1', 80, true, '10.9.9.9:90'))?.address.text,
      '10.0.0.1:80',
    );
    const lb = balancer(context, HEADER);
    assert.equal(lb.chooseHost(to('10.0.0.1', 80, false, '10.9.9.9:90'))?.address.text, '10.9.9.9:90');
    assert.equal(lb.chooseHost(to('10.0.0.1', 80, false, '[fd00::2]:90'))?.address.text, '[fd00::2]:90');
    for (const bad of ['name:90', '10.9.9.9', '10.9.9.9:0', '10.9.9.9:65536', '10.9.9.9:x', ':90', '']) {
      assert.equal(lb.chooseHost(to('10.0.0.1', 80, true, bad))?.address.text, '10.0.0.1:80', bad);
    }
  });

  test('the port may be another one', (context) => {
    const lb = balancer(context, { original_dst_lb_config: { upstream_port_override: 15008 } });
    assert.equal(lb.chooseHost(to('10.0.0.1', 80))?.address.text, '10.0.0.1:15008');
  });

  test('a host that nobody asks for is forgotten, one that carries something is not', (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] });
    const lb = balancer(context, { cleanup_interval: '1s' });
    const idle = lb.chooseHost(to('10.0.0.1', 80));
    const busy = lb.chooseHost(to('10.0.0.2', 80))!;
    busy.add(HostSlot.ActiveRequests, 1);
    context.mock.timers.tick(1000);
    assert.equal(lb.chooseHost(to('10.0.0.1', 80)), idle, 'used in the last interval');
    context.mock.timers.tick(1000);
    context.mock.timers.tick(1000);
    assert.notEqual(lb.chooseHost(to('10.0.0.1', 80)), idle);
    assert.equal(lb.chooseHost(to('10.0.0.2', 80)), busy);
  });
});
