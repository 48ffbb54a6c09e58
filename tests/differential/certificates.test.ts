// /certs and the stats of when certificates expire, of Envoy and of Pilotfish with the same bootstrap.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_OPENSSL, PublicKeyInfrastructure } from '../fakes/public_key_infrastructure.ts';
import { ca, certificate, pem } from '../fakes/tls.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { address, TYPE } from './proxy_scenario.ts';
import { socket } from './tls_comparison.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SPIFFE = `${TYPE}transport_sockets.tls.v3.SPIFFECertValidatorConfig`;
const DAY = /("days_until_expiration":"|days_until_first_cert_expiring: |ocsp_response_expiring: )(\d+)/g;

function listener(name: string, common_tls_context: object): object {
  const echo = { name: 'echo', typed_config: { '@type': `${TYPE}filters.network.echo.v3.Echo` } };
  const chain = { filters: [echo], transport_socket: socket('Downstream', { common_tls_context }) };
  return { name, stat_prefix: name, address: address(0), filter_chains: [chain] };
}

function cluster(name: string, context: Readonly<Record<string, unknown>>): object {
  const load_assignment = { cluster_name: name };
  return { name, load_assignment, transport_socket: socket('Upstream', context) };
}

function bootstrap(pki: PublicKeyInfrastructure): object {
  const stapled = {
    certificate_chain: { filename: pki.path('leaf.pem') },
    private_key: { filename: pki.path('leaf.key') },
    ocsp_staple: { inline_bytes: pki.ocsp('leaf', 'root', 600).toString('base64') },
  };
  const trust_domains = ['ca', 'other_ca'].map((name) => ({
    name,
    trust_bundle: { inline_string: pem(`${name}.pem`) },
  }));
  const spiffe = {
    name: 'envoy.tls.cert_validator.spiffe',
    typed_config: { '@type': SPIFFE, trust_domains },
  };
  const combined_validation_context = {
    default_validation_context: ca(),
    validation_context_sds_secret_config: { name: 'roots' },
  };
  const own = { tls_certificates: [certificate('server')] };
  const two = { trusted_ca: { inline_string: pem('ca.pem') + pem('other_ca.pem') } };
  return {
    static_resources: {
      secrets: [
        { name: 'roots', validation_context: ca('other_ca') },
        { name: 'mine', tls_certificate: certificate('second') },
      ],
      listeners: [
        listener('stapled', { tls_certificates: [stapled] }),
        listener('two', {
          tls_certificates: [certificate('server'), certificate('second')],
          validation_context: two,
        }),
        listener('combined', { ...own, combined_validation_context }),
        listener('spiffe', { ...own, validation_context: { custom_validator_config: spiffe } }),
        listener('sds', { tls_certificate_sds_secret_configs: [{ name: 'mine' }] }),
      ],
      clusters: [
        cluster('none', {}),
        cluster('roots', { common_tls_context: { validation_context: ca() } }),
        { ...cluster('named', { common_tls_context: { validation_context: ca() } }), alt_stat_name: 'other' },
      ],
    },
  };
}

describe('certificates', { skip: SKIP || NO_OPENSSL }, () => {
  let pki: PublicKeyInfrastructure | undefined;
  const seen: { certs: string[]; stats: string[] }[] = [];

  before(async () => {
    pki = new PublicKeyInfrastructure();
    pki.root('root');
    // Not asked about in the second that it was made in, when it has a day more than in the next.
    pki.issue('leaf', 'root', { names: 'DNS:a,URI:b,email:c@d,IP:2001:db8::1,otherName:1.2.3;UTF8:e' });
    await sleep(1000);
    const config = bootstrap(pki);
    for (const command of [PILOTFISH, [ENVOY_BIN!]]) seen.push(await shown(config, command));
  });
  after(() => pki?.remove());

  test('/certs', () => assert.deepEqual(seen[0].certs, seen[1].certs));
  test('stats', () => assert.deepEqual(seen[0].stats, seen[1].stats));
});

/** Contexts in the order of their text: Envoy has them in that of their addresses. */
async function shown(
  config: object,
  command: readonly string[],
): Promise<{ certs: string[]; stats: string[] }> {
  const proxy = await EnvoyProcess.start(config, command);
  try {
    const { certificates } = (await (await fetch(`${proxy.admin}/certs`)).json()) as {
      certificates: object[];
    };
    const text = await (await fetch(`${proxy.admin}/stats?filter=expir`)).text();
    const certs = certificates.map((one) =>
      // Envoy names one of the trust domains for all of them.
      timeless(JSON.stringify(one)).replace(/(?:other_)?ca: <inline>/g, '<inline>'),
    );
    return { certs: certs.sort(), stats: text.trim().split('\n').map(timeless).sort() };
  } finally {
    await proxy.stop();
  }
}

/** A second later it may be a day less. */
function timeless(text: string): string {
  return text.replace(DAY, (_, name: string, number: string) => `${name}${Math.round(Number(number) / 100)}`);
}
