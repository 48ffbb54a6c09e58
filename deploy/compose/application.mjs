// Both services: `api` answers, `web` asks `api` through its sidecar and answers with what it heard. Plain JavaScript, so that
// any Node runs it.

import http from 'node:http';

const { NAME = 'api', CONTROL_PLANE = '', ADDRESS = '0.0.0.0' } = process.env;
const PORT = 3000;
/** In a mesh by its name: the connection is intercepted. Else at the sidecar's own port. */
const API = CONTROL_PLANE === 'istiod' ? 'http://api.shop.internal:3000' : `http://${loopback()}:9000`;

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
  const answer = await fetch(API + url, { headers: { 'x-request-id': headers['x-request-id'] ?? '' } });
  if (!answer.ok) throw new Error(`api says ${answer.status}`);
  return answer.json();
}

function loopback() {
  return ADDRESS === '0.0.0.0' ? '127.0.0.1' : ADDRESS;
}
