import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostsFileAddresses } from './local_names.ts';
import { parseResolvConf, searchedNames } from './search_list.ts';

test('resolv.conf as Kubernetes writes it', () => {
  const text =
    'search ns.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n';
  const search = parseResolvConf(text);
  assert.deepEqual(search, {
    domains: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
    ndots: 5,
  });
  assert.deepEqual(searchedNames('a.example.com', search).at(-1), 'a.example.com');
  assert.deepEqual(searchedNames('a', search)[0], 'a.ns.svc.cluster.local');
  assert.deepEqual(searchedNames('a.example.com.', search), ['a.example.com']);
});

test('the last of search and domain counts; without options one dot is enough', () => {
  const search = parseResolvConf('# search x\ndomain one.test\nsearch two.test\n');
  assert.deepEqual(search, { domains: ['two.test'], ndots: 1 });
  assert.deepEqual(searchedNames('a.b', search), ['a.b', 'a.b.two.test']);
  assert.deepEqual(parseResolvConf('search .').domains, []);
});

test('names of a hosts file', () => {
  const text = '127.0.0.1 localhost Own # other\n::1 own\nnonsense own\n127.0.0.1 own\n';
  assert.deepEqual(hostsFileAddresses(text, 'own'), ['127.0.0.1', '::1']);
  assert.deepEqual(hostsFileAddresses(text, 'other'), []);
});
