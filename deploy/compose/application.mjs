// Both services: `api` answers, `web` asks `api` through its sidecar and answers with what it heard. Plain JavaScript, so that
// any Node runs it.

import dns from 'node:dns/promises';
import http from 'node:http';

const { NAME = 'api', ADDRESS = '0.0.0.0' } = process.env;
const PORT = 3000;

const server = http.createServer(async (request, response) => {
  const said = { name: NAME, path: request.url, id: request.headers['x-request-id'] };
  try {
    const heard = NAME === 'web' ? await ask(request) : undefined;
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ ...said, heard })}\n`);
  } catch (error) {
    response.statusCode = 502;
    response.end(`${NAME}: ${error.message}\n`);
  }
});
server.listen(PORT, ADDRESS, () => console.log(`${NAME} listens on ${ADDRESS}:${PORT}`));

/** The request id goes on, so that the access logs of all proxies can be joined. */
async function ask({ url, headers }) {
  const id = headers['x-request-id'] ?? '';
  const answer = await fetch((await apiAddress()) + url, { headers: { 'x-request-id': id } });
  if (!answer.ok) throw new Error(`api says ${answer.status}`);
  return answer.json();
}

/** With the profile `istiod` the sidecar takes every connection, so the name will do; else it has a port for this. */
async function apiAddress() {
  try {
    await dns.lookup('kubernetes.shop.internal');
    return 'http://api.shop.internal:3000';
  } catch {
    return `http://${ADDRESS === '0.0.0.0' ? '127.0.0.1' : ADDRESS}:9000`;
  }
}
