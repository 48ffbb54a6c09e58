import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders } from '../../../../../tests/fakes/log_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { FilterHeadersStatus } from '../../../../api/http/filter.ts';
import { httpRbacFactory } from './config.ts';

const MESSAGE = 'envoy.extensions.filters.http.rbac.v3.RBAC';
const ANY = [{ any: true }];
const ADMIN = { permissions: [{ url_path: { path: { prefix: '/admin' } } }], principals: ANY };

/** One request through the filter, and what `explain` says of it. */
function judge(config: object, path: string, ofRoute?: object) {
  const stats = new FakeStatStore();
  const context = fakeFactoryContext({ stats, httpStatPrefix: 'http.in.' });
  const compiled = httpRbacFactory.compile(fromJson(MESSAGE, config) as never, context, 'rbac', 'rbac');
  const filter = compiled.createFilter();
  const callbacks = new FakeFilterCallbacks(filter);
  if (ofRoute !== undefined) {
    const message = fromJson('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', ofRoute);
    callbacks.routeConfig = httpRbacFactory.compileRoute!(message as never, context, 'route');
  }
  const headers = requestHeaders({ ':path': path });
  const status = filter.decodeHeaders!(headers, true);
  const explained = compiled.explain!(headers, callbacks.streamInfo, callbacks.routeConfig);
  assert.equal(explained.answer === undefined, status === FilterHeadersStatus.Continue);
  assert.equal(explained.answer?.details, callbacks.localReply?.details);
  return { status, callbacks, explained, stats };
}

test('403 with the name of the policy', () => {
  const { callbacks, explained, stats } = judge(
    { rules: { action: 'DENY', policies: { 'no admin': ADMIN } } },
    '/admin/x',
  );
  assert.deepEqual(callbacks.localReply, {
    code: 403,
    body: 'RBAC: access denied',
    details: 'rbac_access_denied_matched_policy[no_admin]',
    options: undefined,
  });
  assert.equal(explained.note, "policy 'no admin' (DENY) matches: it is denied");
  assert.equal(explained.tree?.matched, true);
  assert.equal(stats.value('http.in.rbac.denied'), 1);
});

test('explains what passes', () => {
  const config = { rules: { action: 'DENY', policies: { p: ADMIN } } };
  const { explained } = judge(config, '/');
  assert.deepEqual([explained.note, explained.tree?.matched], ['no DENY policy matches: it may pass', false]);
  assert.equal(judge({}, '/').explained.note, 'has no rules: everything passes');
  assert.equal(judge({ rules: {} }, '/').explained.note, 'no ALLOW policy matches: it is denied');
});

test('rules of a route take the place of those of the filter', () => {
  assert.equal(judge({ rules: {} }, '/', {}).status, FilterHeadersStatus.Continue);
  const own = { rbac: { rules: { policies: { p: ADMIN } } } };
  assert.equal(judge({}, '/', own).status, FilterHeadersStatus.StopIteration);
});

test('each policy is counted where that is wanted', () => {
  const { stats } = judge(
    { rules: { policies: { p: ADMIN } }, rules_stat_prefix: 'r', track_per_rule_stats: true },
    '/admin',
  );
  assert.equal(stats.value('http.in.rbac.r.policy.p.allowed'), 1);
  assert.equal(stats.value('http.in.rbac.r.allowed'), 1);
});
