// istiod's TLS port: its CA and its ADS on real gRPC. The CA takes a token or a client certificate, as istiod does, and answers
// what a test tells it to.

import { X509Certificate } from 'node:crypto';
import {
  type Server as GrpcServer,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { IstioCertificateRequest } from '../../xds-protos/generated/istio/v1/auth.ts';
import { decode, encode } from '../../xds-protos/load.ts';
import { ControlPlane } from '../integration/control_plane.ts';
import type { CertificateAuthority, SigningOptions } from './certificate_authority.ts';

const NAME = 'CreateCertificate';
const PATH = `/istio.v1.auth.IstioCertificateService/${NAME}`;
/** What istiod's own certificate is for. */
export const ISTIOD_SAN = 'istiod.istio-system.svc';

/** A call to the CA, as it came. */
export interface CertificateCall {
  readonly token: string | undefined;
  /** The identity in the client certificate. */
  readonly peer: string | undefined;
  readonly clusterId: string | undefined;
  readonly validitySeconds: number;
}

export class FakeIstiod {
  readonly plane: ControlPlane;
  /** The identity that a token stands for. Others are refused. */
  readonly tokens: Map<string, string>;
  readonly calls: CertificateCall[] = [];
  readonly authority: CertificateAuthority;
  /** How the next certificates are signed. */
  signing: SigningOptions = {};

  private constructor(plane: ControlPlane, authority: CertificateAuthority, tokens: Map<string, string>) {
    this.plane = plane;
    this.authority = authority;
    this.tokens = tokens;
  }

  /** `address` defaults to a free port of 127.0.0.1. */
  static async start(authority: CertificateAuthority, address?: string): Promise<FakeIstiod> {
    const { key, certificate } = await authority.issue(`DNS:${ISTIOD_SAN}`);
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) };
    const credentials = ServerCredentials.createSsl(Buffer.from(authority.rootPem), [pair], true);
    // A client may come without a certificate; what one that comes with one may do is decided per call.
    Object.assign(credentials._getConstructorOptions()!, { rejectUnauthorized: false });
    let istiod: FakeIstiod | undefined;
    const plane = await ControlPlane.start(address, credentials, (server) =>
      addCertificateService(server, (call, callback) => void istiod!.#onCall(call, callback)),
    );
    return (istiod = new FakeIstiod(plane, authority, new Map()));
  }

  /** `127.0.0.1:<port>`. */
  get address(): string {
    return this.plane.server.address;
  }

  close(): void {
    this.plane.close();
  }

  async #onCall(call: Call, callback: sendUnaryData<string[]>): Promise<void> {
    const token = /^Bearer (.*)$/.exec(String(call.metadata.get('authorization')[0] ?? ''))?.[1];
    const peer = identityOf(call, this.authority);
    this.calls.push({
      token,
      peer,
      clusterId: call.metadata.get('clusterid')[0]?.toString(),
      validitySeconds: Number(call.request.validity_duration),
    });
    const identity = this.tokens.get(token ?? '') ?? peer;
    if (identity === undefined) {
      return callback({ code: status.UNAUTHENTICATED, details: 'request authenticate failure' });
    }
    try {
      const leaf = await this.authority.sign(call.request.csr, `URI:${identity}`, this.signing);
      // The root comes twice, as from istiod.
      callback(null, [leaf, this.authority.rootPem, this.authority.rootPem]);
    } catch (error) {
      callback({ code: status.INVALID_ARGUMENT, details: String(error) });
    }
  }
}

type Call = ServerUnaryCall<IstioCertificateRequest, string[]>;

function addCertificateService(
  server: GrpcServer,
  handler: (call: Call, callback: sendUnaryData<string[]>) => void,
): void {
  const definition = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: IstioCertificateRequest) =>
      Buffer.from(encode('istio.v1.auth.IstioCertificateRequest', request)),
    requestDeserialize: (bytes: Buffer) => decode('istio.v1.auth.IstioCertificateRequest', bytes),
    responseSerialize: (chain: string[]) =>
      Buffer.from(encode('istio.v1.auth.IstioCertificateResponse', { cert_chain: chain })),
    responseDeserialize: (bytes: Buffer) =>
      decode('istio.v1.auth.IstioCertificateResponse', bytes).cert_chain,
  };
  server.addService({ [NAME]: definition }, { [NAME]: handler });
}

/** The SPIFFE identity of a client certificate that the authority has signed. */
function identityOf(call: Call, authority: CertificateAuthority): string | undefined {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) return undefined;
  const certificate = new X509Certificate(raw);
  const good =
    certificate.verify(new X509Certificate(authority.rootPem).publicKey) &&
    certificate.validToDate.getTime() > Date.now();
  return good ? /^URI:(.*)$/.exec(certificate.subjectAltName ?? '')?.[1] : undefined;
}
