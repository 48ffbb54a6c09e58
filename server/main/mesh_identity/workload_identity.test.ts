// A workload's identity against a CA on real gRPC and TLS, with certificates that live for seconds.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { CertificateAuthority } from '../../../tests/fakes/certificate_authority.ts';
import { FakeIstiod, ISTIOD_SAN } from '../../../tests/fakes/fake_istiod.ts';
import { eventually } from '../../../tests/integration/proxy_process.ts';
import { type LogRecord, setLogSink } from '../../common/log.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { createCertificateRequest } from './certificate_request.ts';
import { IDENTITY_STATS } from './identity_stats.ts';
import { checkWorkloadCertificate, parseCertificates } from './workload_certificate.ts';
import { WorkloadIdentity } from './workload_identity.ts';

const REVIEWS = 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews';
const NO_OPENSSL = spawnSync('openssl', ['version']).status !== 0 && 'needs openssl';

/** A CA, and a workload that has files of a token and of the CA's root. */
async function mesh(t: TestContext) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'mesh-identity-'));
  const authority = new CertificateAuthority();
  const istiod = await FakeIstiod.start(authority);
  istiod.tokens.set('token-1', REVIEWS);
  const files = { token: path.join(directory, 'token'), root: path.join(directory, 'root-cert.pem') };
  /** As the kubelet does: moved into place. */
  const write = (file: string, text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  write(files.token, 'token-1\n');
  write(files.root, authority.rootPem);
  const log: string[] = [];
  setLogSink((record: LogRecord) => log.push(`${record.level} ${record.text}`));
  const stats = new ThreadStatStore(() => undefined);
  let changes = 0;
  const [, port] = istiod.address.split(':');
  const create = (serverName = ISTIOD_SAN) =>
    new WorkloadIdentity(
      {
        service: { target: `ipv4:127.0.0.1:${port}`, serverName, clusterId: 'east' },
        spiffeId: REVIEWS,
        tokenFile: files.token,
        rootCaFile: files.root,
      },
      stats,
      () => changes++,
    );
  const identity = create();
  t.after(() => {
    identity.close();
    istiod.close();
    authority.close();
    rmSync(directory, { recursive: true });
  });
  const stat = (name: keyof typeof IDENTITY_STATS.offset): number => {
    const block = stats.block(IDENTITY_STATS, 'mesh_identity.');
    return block.values[block.base + IDENTITY_STATS.offset[name]]!;
  };
  return {
    istiod,
    authority,
    identity,
    create,
    files,
    write,
    log,
    stat,
    changes: () => changes,
    said: (pattern: RegExp) =>
      eventually(async () => log.some((line) => pattern.test(line)), `${pattern} in\n${log.join('\n')}`),
    issued: (count: number) =>
      eventually(async () => stat('certificate_issued') >= count, `${count} certificates\n${log.join('\n')}`),
  };
}

describe('a workload identity', { skip: NO_OPENSSL, timeout: 30_000 }, () => {
  test('is issued for a token, and its renewal is at half of its life', async (t) => {
    const { identity, istiod, issued, stat, changes } = await mesh(t);
    istiod.signing = { to: 6 };
    const started = Date.now();
    identity.start();
    await issued(1);
    const first = identity.certificate!;
    assert.equal(new X509Certificate(first.chainPem).subjectAltName, `URI:${REVIEWS}`);
    assert.match(first.privateKeyPem, /BEGIN PRIVATE KEY/);
    assert.equal(identity.trustBundle.pem, new X509Certificate(istiod.authority.rootPem).toString());
    assert.equal(stat('expiration_unix_time_seconds'), first.notAfter / 1000);
    assert.deepEqual(istiod.calls, [
      { token: 'token-1', peer: undefined, clusterId: 'east', validitySeconds: 86_400 },
    ]);
    await issued(2);
    const passed = Date.now() - started;
    // A certificate's times are whole seconds: its life is between 5 and 6 s.
    assert.ok(passed > 2_200 && passed < 4_500, `renewed after ${passed} ms`);
    assert.notEqual(identity.certificate!.privateKeyPem, first.privateKeyPem);
    assert.equal(changes(), 2);
  });

  test('is renewed with the token of the moment', async (t) => {
    const { identity, istiod, issued, files, write } = await mesh(t);
    istiod.signing = { to: 3 };
    identity.start();
    await issued(1);
    istiod.tokens.clear();
    istiod.tokens.set('token-2', REVIEWS);
    write(files.token, 'token-2\n');
    await issued(2);
    assert.deepEqual(
      istiod.calls.map(({ token }) => token),
      ['token-1', 'token-2'],
    );
  });

  test('is renewed with the certificate when the token is refused or gone', async (t) => {
    const { identity, istiod, issued, files, said } = await mesh(t);
    istiod.signing = { to: 5 };
    identity.start();
    await issued(1);
    istiod.tokens.clear();
    await issued(2);
    rmSync(files.token);
    await issued(3);
    assert.deepEqual(
      istiod.calls.map(({ token, peer }) => [token, peer]),
      [
        ['token-1', undefined],
        ['token-1', undefined],
        [undefined, REVIEWS],
        [undefined, REVIEWS],
      ],
    );
    await said(
      /info --token-file .*: ipv4:.* refuses it \(UNAUTHENTICATED: .*\); asking with the current certificate/,
    );
    await said(/info --token-file .*token: ENOENT/);
  });

  test('of another workload is refused, by name, and asked for again', async (t) => {
    const { identity, istiod, issued, said, stat } = await mesh(t);
    const other = 'spiffe://cluster.local/ns/default/sa/other';
    istiod.tokens.set('token-1', other);
    identity.start();
    await said(
      new RegExp(
        `warning no certificate for ${REVIEWS}: the certificate of istiod is refused: it is for ${other}, and this workload is ${REVIEWS}; nothing is asked`,
      ),
    );
    assert.equal(identity.certificate, undefined);
    assert.ok(stat('certificate_failed') >= 1);
    istiod.tokens.set('token-1', REVIEWS);
    await issued(1);
  });

  test('stays in use while the CA is away, and is renewed when it is back', async (t) => {
    const { identity, istiod, issued, said } = await mesh(t);
    istiod.signing = { to: 3 };
    identity.start();
    await issued(1);
    const { serialNumber } = identity.certificate!;
    istiod.plane.server.crash();
    await said(/warning no certificate for .*: UNAVAILABLE|the current one serves until/);
    assert.equal(identity.certificate!.serialNumber, serialNumber);
    await istiod.plane.server.restart();
    await issued(2);
  });

  test('follows a change of the roots', async (t) => {
    const { identity, istiod, authority, issued, files, write, changes } = await mesh(t);
    identity.start();
    await issued(1);
    const next = new CertificateAuthority();
    t.after(() => next.close());
    // Both roots are trusted first, then the new one alone: only now a certificate of the old one is of no use.
    write(files.root, authority.rootPem + next.rootPem);
    await eventually(async () => changes() === 2, 'the new bundle is served');
    assert.equal(identity.trustBundle.pem, authority.rootPem + next.rootPem);
    assert.equal(istiod.calls.length, 1);
    istiod.close();
    const replaced = await FakeIstiod.start(next, istiod.address);
    t.after(() => replaced.close());
    replaced.tokens.set('token-1', REVIEWS);
    write(files.root, next.rootPem);
    await issued(2);
    assert.equal(identity.trustBundle.pem, next.rootPem);
    assert.equal(identity.certificate!.root.toString(), next.rootPem);
  });

  test('does not ask a server that it cannot verify', async (t) => {
    const { create, istiod, said } = await mesh(t);
    const identity = create('istiod.elsewhere.svc');
    t.after(() => identity.close());
    identity.start();
    await said(/its certificate must be for istiod.elsewhere.svc and signed by --root-ca/);
    assert.deepEqual(istiod.calls, []);
  });
});

describe('files', { skip: NO_OPENSSL }, () => {
  test('roots that cannot be used are named with their flag', async (t) => {
    const { create, files, write } = await mesh(t);
    write(files.root, 'nothing');
    assert.throws(() => create(), /^ConfigError: --root-ca .*root-cert.pem: holds no certificate in PEM$/);
    rmSync(files.root);
    assert.throws(() => create(), /--root-ca .*root-cert.pem: ENOENT/);
  });
});

describe('the answer of a CA', { skip: NO_OPENSSL }, () => {
  const refused = (
    name: string,
    reason: RegExp,
    make: (request: string, ca: CertificateAuthority, other: CertificateAuthority) => Promise<string[]>,
  ) =>
    test(name, async (t) => {
      const [ca, other] = [new CertificateAuthority(), new CertificateAuthority('elsewhere')];
      t.after(() => {
        ca.close();
        other.close();
      });
      const { pem, privateKey } = createCertificateRequest(REVIEWS);
      const chain = await make(pem, ca, other);
      assert.throws(
        () => checkWorkloadCertificate(chain, privateKey, REVIEWS, parseCertificates(ca.rootPem)),
        {
          message: reason,
        },
      );
    });

  refused('that is empty', /holds no certificate/, async () => ['']);
  refused('that is garbage', /cannot be read/, async () => [
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
  ]);
  refused('for another key', /is for another key/, async (_, ca) => [
    (await ca.issue(`URI:${REVIEWS}`)).certificate,
  ]);
  refused('with two identities', /it is for .* and spiffe:\/\/b,/, async (request, ca) => [
    await ca.sign(request, `URI:${REVIEWS},URI:spiffe://b`),
  ]);
  refused('without an identity', /it is for no SPIFFE identity/, async (request, ca) => [
    await ca.sign(request, 'DNS:reviews'),
  ]);
  refused(
    'of an unknown CA',
    /nothing in its chain or in the roots has signed/,
    async (request, _, other) => [await other.sign(request, `URI:${REVIEWS}`)],
  );
  refused('that is expired', /is valid from .* to .*, and here it is/, async (request, ca) => [
    await ca.sign(request, `URI:${REVIEWS}`, { to: -60 }),
  ]);
  refused('that is not valid yet', /is valid from .* to .*, and here it is/, async (request, ca) => [
    await ca.sign(request, `URI:${REVIEWS}`, { from: 60 }),
  ]);
  refused('that is a CA', /it is the certificate of a CA/, async (request, ca) => [
    await ca.sign(request, `URI:${REVIEWS}`, { isCa: true }),
  ]);

  test('may come without its root', async (t) => {
    const ca = new CertificateAuthority();
    t.after(() => ca.close());
    const { pem, privateKey } = createCertificateRequest(REVIEWS);
    const leaf = await ca.sign(pem, `URI:${REVIEWS}`);
    const { root, chainPem } = checkWorkloadCertificate(
      [leaf],
      privateKey,
      REVIEWS,
      parseCertificates(ca.rootPem),
    );
    assert.equal(root.subject, 'O=cluster.local');
    assert.equal(parseCertificates(chainPem).length, 1);
  });
});

test('the request is what openssl takes for one', { skip: NO_OPENSSL }, () => {
  const long = `spiffe://${'a'.repeat(300)}/ns/b/sa/c`;
  const { pem } = createCertificateRequest(long);
  const text = execFileSync('openssl', ['req', '-verify', '-noout', '-text'], {
    input: pem,
    stdio: 'pipe',
  }).toString();
  assert.match(text, /X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/a{300}\/ns\/b\/sa\/c\n/);
  assert.match(text, /Subject: *\n/);
  assert.match(text, /NIST CURVE: P-256/);
});
