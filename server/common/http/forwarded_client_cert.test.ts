import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionInfo, SslConnectionInfo } from '../../api/stream_info.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { mutateForwardedClientCert } from './forwarded_client_cert.ts';
import { RequestHeaders } from './header_map.ts';

const SSL = {
  peerCertificatePresented: true,
  uriSanLocal: ['spiffe://td/a', 'spiffe://td/b'],
  uriSanPeer: ['spiffe://td/c'],
  dnsSanPeer: ['c.example.com', 'd.example.com'],
  sha256PeerCertificateDigest: 'ab12',
  subjectPeer: 'CN=c,O=Pilot \\"fish\\"',
  peerCertificatePem: 'A+B\n',
  peerCertificateChainPem: 'A+B\nC\n',
} as unknown as SslConnectionInfo;
const ALL = { subject: true, cert: true, chain: true, dns: true, uri: true };
const OURS =
  'By=spiffe://td/a;By=spiffe://td/b;Hash=ab12;Cert="A%2BB%0A";Chain="A%2BB%0AC%0A";' +
  'Subject="CN=c,O=Pilot \\"fish\\"";URI=spiffe://td/c;DNS=c.example.com;DNS=d.example.com';

function forwarded(
  forwardClientCert: ConnectionManagerConfig['forwardClientCert'],
  ssl: SslConnectionInfo | undefined,
  before: string | undefined,
): string | undefined {
  const headers = new RequestHeaders();
  if (before !== undefined) headers.set('x-forwarded-client-cert', before);
  const config = { forwardClientCert, setCurrentClientCertDetails: ALL } as ConnectionManagerConfig;
  mutateForwardedClientCert(headers, config, { ssl } as ConnectionInfo);
  return headers.get('x-forwarded-client-cert');
}

test('what is passed on of the client, and of those before it', () => {
  const cases = [
    ['SANITIZE', undefined, undefined],
    ['FORWARD_ONLY', 'By=x', undefined],
    ['APPEND_FORWARD', `By=x,${OURS}`, undefined],
    ['SANITIZE_SET', OURS, undefined],
    ['ALWAYS_FORWARD_ONLY', 'By=x', 'By=x'],
  ] as const;
  for (const [mode, mutual, plain] of cases) {
    assert.equal(forwarded(mode, SSL, 'By=x'), mutual, mode);
    assert.equal(forwarded(mode, undefined, 'By=x'), plain, mode);
    const nobody = { ...SSL, peerCertificatePresented: false };
    assert.equal(forwarded(mode, nobody, 'By=x'), plain, mode);
  }
  assert.equal(forwarded('APPEND_FORWARD', SSL, undefined), OURS);
});
