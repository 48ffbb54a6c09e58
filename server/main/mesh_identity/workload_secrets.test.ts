// Secrets that are answered inside the process, in the place of the cluster that istiod's resources name.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSource, NODE, Recorder, SDS } from '../../../tests/xds/harness.ts';
import { decode } from '../../../xds-protos/load.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { XdsSubscriptionFactory } from '../xds/subscription_factory.ts';
import { WorkloadSecrets } from './workload_secrets.ts';

const CA = fileURLToPath(new URL('../../../tests/fixtures/certs/ca.pem', import.meta.url));

/** Of an istiod that is never asked. */
function subscribe(t: TestContext, name: string): Recorder {
  const stats = new ThreadStatStore(() => undefined);
  const service = { target: 'ipv4:127.0.0.1:1', serverName: 'istiod', clusterId: 'Kubernetes' };
  const inProcess = new WorkloadSecrets(
    { service, spiffeId: 'spiffe://a/ns/b/sa/c', tokenFile: '/nonexistent', rootCaFile: CA },
    stats,
  );
  const factory = new XdsSubscriptionFactory({
    node: NODE,
    adsConfig: undefined,
    clusters: () => undefined,
    inProcess,
    stats,
  });
  const recorder = new Recorder();
  const source = configSource({
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'sds-grpc' } }],
    },
    initial_fetch_timeout: '0s',
  });
  factory.subscribe(source, SDS, new Set([name]), recorder, 'sds.', 'sds_config');
  t.after(() => {
    factory.close();
    inProcess.close();
  });
  assert.deepEqual(recorder.updates, [], 'nothing comes before the call stack unwinds');
  return recorder;
}

test('files by their names, as the agent serves them', async (t) => {
  const pair = await subscribe(t, 'file-cert:/c.pem~/k.pem').next();
  const { tls_certificate: certificate } = decode(
    'envoy.extensions.transport_sockets.tls.v3.Secret',
    pair.resources[0]!.bytes,
  );
  assert.equal(certificate?.certificate_chain?.filename, '/c.pem');
  assert.equal(certificate?.private_key?.filename, '/k.pem');
  const root = await subscribe(t, 'file-root:/ca.pem').next();
  const { validation_context: context } = decode(
    'envoy.extensions.transport_sockets.tls.v3.Secret',
    root.resources[0]!.bytes,
  );
  assert.equal(context?.trusted_ca?.filename, '/ca.pem');
});

test('a name that means nothing does not exist', async (t) => {
  for (const name of ['other', 'file-cert:/c.pem', 'file-cert:a~b~c']) {
    const { added, removed } = await subscribe(t, name).next();
    assert.deepEqual([added, removed], [[], [name]]);
  }
});

test('the certificate and the roots wait for the CA', async (t) => {
  const waiting = [subscribe(t, 'default'), subscribe(t, 'ROOTCA')];
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const { updates, failures } of waiting) assert.deepEqual([updates, failures], [[], []]);
});
