import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { ipAddress } from '../../common/network/address.ts';
import { AdminServer } from './admin.ts';

test('the admin port counts its own connections and requests', async (t) => {
  const context = fakeAdminContext();
  const server = new AdminServer({ ...context, ownStats: context.store });
  const { port } = await server.listen(ipAddress('127.0.0.1', 0));
  t.after(() => server.close());
  const value = (name: string): number | undefined => {
    context.store.flush();
    return context.stats.value(name);
  };
  const socket = connect(port, '127.0.0.1');
  const request =
    'GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\nGET /nope HTTP/1.1\r\nhost: localhost\r\n\r\n';
  socket.write(request);
  let answers = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answers += text));
  while (!/404 Not Found[\s\S]*\r\n0\r\n\r\n$/.test(answers)) await once(socket, 'data');
  await sleep(20);
  for (const prefix of ['http.admin.', 'listener.admin.', 'listener.admin.main_thread.']) {
    assert.equal(value(`${prefix}downstream_cx_total`), 1, prefix);
    assert.equal(value(`${prefix}downstream_cx_active`), 1, prefix);
  }
  assert.equal(value('http.admin.downstream_rq_total'), 2);
  assert.equal(value('http.admin.downstream_rq_active'), 0);
  for (const prefix of ['http.admin.', 'listener.admin.http.admin.']) {
    assert.equal(value(`${prefix}downstream_rq_2xx`), 1);
    assert.equal(value(`${prefix}downstream_rq_4xx`), 1);
  }
  assert.equal(value('http.admin.downstream_cx_rx_bytes_total'), request.length);
  assert.equal(value('http.admin.downstream_cx_tx_bytes_total'), answers.length);
  socket.end();
  await once(socket, 'close');
  await sleep(20);
  assert.equal(value('http.admin.downstream_cx_active'), 0);
  assert.equal(value('http.admin.downstream_cx_destroy_remote'), 1);
  assert.equal(value('listener.admin.downstream_cx_destroy'), 1);
  assert.equal(value('http.admin.downstream_cx_rx_bytes_total'), request.length);
});
