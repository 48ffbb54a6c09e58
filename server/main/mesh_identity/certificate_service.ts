// Asks istiod's CA for a certificate: istio.v1.auth.IstioCertificateService/CreateCertificate over TLS, one connection a call,
// so that each call is made with the roots, the token and the certificate of its moment.
// Istio: security/pkg/nodeagent/caclient/providers/citadel/client.go.

import type { ServiceError } from '@grpc/grpc-js';
import type { IstioCertificateResponse } from '../../../xds-protos/generated/istio/v1/auth.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { grpcJs } from '../xds/grpc.ts';

const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
/** Seconds that a certificate is to live: Istio's agent asks for a day (SECRET_TTL). */
const VALIDITY_SECONDS = 24 * 3600;
/** ms for one call, connecting included. Ours: a CA that takes longer is asked again. */
const CALL_TIMEOUT_MS = 10_000;

/** How the caller says who it is. */
export type Credential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'certificate'; readonly chainPem: string; readonly privateKeyPem: string };

export interface CertificateServiceOptions {
  /** In grpc-js' spelling: `dns:istiod.istio-system:15012`. */
  readonly target: string;
  /** The DNS name that the server's certificate must have. */
  readonly serverName: string;
  /** Istio's name of the cluster that the token is from. */
  readonly clusterId: string;
}

/** A call that failed, with gRPC's status code. */
export class CertificateServiceError extends Error {
  readonly code: number;

  constructor(code: number, details: string) {
    // grpc-js ends some with a note that it leaves empty.
    super(`${grpcJs().status[code]}: ${details.replace(/ Resolution note: $/, '')}`);
    this.code = code;
  }

  /** It is the credential that the CA does not take. */
  get refusesCredential(): boolean {
    const { UNAUTHENTICATED, PERMISSION_DENIED } = grpcJs().status;
    return this.code === UNAUTHENTICATED || this.code === PERMISSION_DENIED;
  }
}

export class CertificateService {
  readonly #options: CertificateServiceOptions;
  #cancel: (() => void) | undefined;

  constructor(options: CertificateServiceOptions) {
    this.#options = options;
  }

  /** The chain in PEM, the leaf first. `rootsPem` must have signed the server. Rejects with CertificateServiceError. */
  async createCertificate(
    requestPem: string,
    credential: Credential,
    rootsPem: string,
  ): Promise<readonly string[]> {
    const { target, serverName, clusterId } = this.#options;
    const { Client, Metadata, credentials } = grpcJs();
    const client = new Client(target, credentials.createSsl(...tlsOf(credential, rootsPem)), {
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
      // What Envoy's gRPC client does not do: proxies of the environment, service configs from DNS.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    metadata.set('clusterid', clusterId);
    if (credential.kind === 'token') metadata.set('authorization', `Bearer ${credential.token}`);
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const call = client.makeUnaryRequest<object, IstioCertificateResponse>(
      METHOD,
      (request) => Buffer.from(encode('istio.v1.auth.IstioCertificateRequest', request)),
      (bytes) => decode('istio.v1.auth.IstioCertificateResponse', bytes),
      { csr: requestPem, validity_duration: BigInt(VALIDITY_SECONDS) },
      metadata,
      { deadline: Date.now() + CALL_TIMEOUT_MS },
      (error: ServiceError | null, response?: IstioCertificateResponse) => {
        if (error === null) resolve(response!.cert_chain);
        else reject(new CertificateServiceError(error.code, error.details));
      },
    );
    this.#cancel = () => call.cancel();
    return promise.finally(() => {
      this.#cancel = undefined;
      client.close();
    });
  }

  /** Ends a call that is under way; it rejects. */
  close(): void {
    this.#cancel?.();
  }
}

/** Roots, key, chain: the arguments of createSsl. */
function tlsOf(
  credential: Credential,
  rootsPem: string,
): [roots: Buffer, key: Buffer | null, chain: Buffer | null] {
  const roots = Buffer.from(rootsPem);
  if (credential.kind === 'token') return [roots, null, null];
  return [roots, Buffer.from(credential.privateKeyPem), Buffer.from(credential.chainPem)];
}
