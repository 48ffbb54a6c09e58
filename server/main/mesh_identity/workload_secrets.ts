// What Istio's agent serves by SDS to its proxy on the cluster `sds-grpc`, served inside the process: the workload's
// certificate (`default`), the roots of the mesh (`ROOTCA`), and files (`file-cert:CERT~KEY`, `file-root:CA`).
// Istio: security/pkg/nodeagent/sds/sdsservice.go, pkg/security (resource names).

import type { Secret } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { encode } from '../../../xds-protos/load.ts';
import type { StatStore } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import type { ConfigWatch } from '../xds/config_watch.ts';
import { rejectionMessage } from '../xds/discovery_error.ts';
import type { InProcessServer } from '../xds/in_process_server.ts';
import type { ResourceType } from '../xds/resource_types.ts';
import type { Subscription } from '../xds/subscription.ts';
import { WorkloadIdentity, type WorkloadIdentityOptions } from './workload_identity.ts';

const log = logger('secret');

const SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret';
/** As istiod's resources name them, and the cluster they say these come from. */
export const SDS_CLUSTER = 'sds-grpc';
export const WORKLOAD_CERTIFICATE = 'default';
const ROOT_CERTIFICATES = 'ROOTCA';
const FILE_CERTIFICATE = 'file-cert:';
const FILE_ROOT = 'file-root:';

export class WorkloadSecrets implements InProcessServer {
  readonly cluster = SDS_CLUSTER;
  readonly identity: WorkloadIdentity;
  readonly #subscriptions = new Set<SecretSubscription>();

  /** Throws ConfigError for unusable files. */
  constructor(options: WorkloadIdentityOptions, stats: StatStore) {
    this.identity = new WorkloadIdentity(options, stats, () => {
      for (const subscription of this.#subscriptions) subscription.send();
    });
  }

  subscribe(type: ResourceType, names: ReadonlySet<string> | undefined, watch: ConfigWatch): Subscription {
    const subscription = new SecretSubscription(this, type, names, watch);
    this.#subscriptions.add(subscription);
    return {
      updateResourceInterest: (replacement) => subscription.updateResourceInterest(replacement),
      close: () => {
        this.#subscriptions.delete(subscription);
        subscription.close();
      },
    };
  }

  secret(name: string): Secret | 'pending' | undefined {
    const { certificate, trustBundle } = this.identity;
    if (name === WORKLOAD_CERTIFICATE || name === ROOT_CERTIFICATES) {
      // The roots wait too: those of the CA's answer are among them.
      if (certificate === undefined) return 'pending';
      if (name === ROOT_CERTIFICATES) return rootSecret(name, { inline_string: trustBundle.pem });
      const { chainPem, privateKeyPem } = certificate;
      return certificateSecret(name, { inline_string: chainPem }, { inline_string: privateKeyPem });
    }
    if (name.startsWith(FILE_ROOT)) return rootSecret(name, { filename: name.slice(FILE_ROOT.length) });
    if (!name.startsWith(FILE_CERTIFICATE)) return undefined;
    const [chain, key, ...more] = name.slice(FILE_CERTIFICATE.length).split('~');
    if (chain === undefined || key === undefined || more.length > 0) return undefined;
    return certificateSecret(name, { filename: chain }, { filename: key });
  }

  close(): void {
    this.identity.close();
  }
}

class SecretSubscription implements Subscription {
  readonly #secrets: WorkloadSecrets;
  readonly #type: ResourceType;
  readonly #watch: ConfigWatch;
  #names: ReadonlySet<string>;
  #first: NodeJS.Immediate;

  constructor(
    secrets: WorkloadSecrets,
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
  ) {
    this.#secrets = secrets;
    this.#type = type;
    this.#watch = watch;
    this.#names = names ?? new Set();
    this.#first = setImmediate(() => this.send());
  }

  updateResourceInterest(names: ReadonlySet<string> | undefined): void {
    this.#names = names ?? new Set();
    clearImmediate(this.#first);
    this.#first = setImmediate(() => this.send());
  }

  close(): void {
    clearImmediate(this.#first);
    this.#watch.close();
  }

  /** All that there is of what was asked for. What is the same as before is no change to who gets it. */
  send(): void {
    const version = this.#secrets.identity.certificate?.serialNumber ?? '';
    const { typeUrl } = this.#type;
    const added = [];
    const unknown: string[] = [];
    for (const name of this.#names) {
      const secret = this.#secrets.secret(name);
      if (secret === undefined) unknown.push(name);
      else if (secret !== 'pending') {
        added.push({ name, typeUrl, version, bytes: encode(SECRET, secret), ttlMs: 0 });
      }
    }
    if (unknown.length > 0) log.warning(`there is no secret ${unknown.join(', ')} on ${SDS_CLUSTER}`);
    if (added.length === 0 && unknown.length === 0) return;
    const refused = rejectionMessage(this.#type, this.#watch.update(added, unknown, false, version));
    if (refused !== undefined) log.warning(refused);
  }
}

function certificateSecret(name: string, certificate_chain: object, private_key: object): Secret {
  return fromJson(SECRET, { name, tls_certificate: { certificate_chain, private_key } });
}

function rootSecret(name: string, trusted_ca: object): Secret {
  return fromJson(SECRET, { name, validation_context: { trusted_ca } });
}
