// What the fakes of the browser tests share: web/dist under the routes and the strict CSP of the
// real engine, problems as it words them, and the ways in which an engine fails a page.
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';

const kCsp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const kWebDist = new URL('../../web/dist/', import.meta.url);
const kTypes = { html: 'text/html', js: 'text/javascript', css: 'text/css' };

// What the engine serves of web/dist: { path: [file, content type] }.
async function pageFiles() {
  const files = {};
  const add = (path, name) => {
    const type = kTypes[name.split('.').at(-1)];
    if (type) files[path] = [name, `${type}; charset=utf-8`];
  };
  for (const name of await readdir(kWebDist)) add(`/${name.replace(/\.html$/, '')}`, name);
  for (const name of await readdir(new URL('static/', kWebDist))) {
    add(`/static/${name}`, `static/${name}`);
  }
  return files;
}

export function problem(response, status, title, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ type: 'about:blank', title, status, errors: [] }));
}

export function answerJson(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

const kCsrf = 'csrf-of-the-fake';
const cookieOf = (token) => `shanhuo_session=${Buffer.from(token).toString('base64url')}`;

// Whether the line, or the engine behind it, is in no state to answer.
function breaks(mode, request, response) {
  if (mode === 'down') request.socket.destroy();
  else if (mode === 'busy') problem(response, 503, 'shedding', { 'retry-after': '40' });
  else if (mode === 'broken') response.writeHead(200).end('<html>proxy</html>');
  else return false;
  return true;
}

// Fails a request as `mode` says, or because nobody is signed in with `token`, or because a write
// does not repeat the session's word. -> whether it did.
export function fails({ mode, token }, request, response) {
  if (breaks(mode, request, response)) return true;
  if (token !== '' && request.headers.cookie !== cookieOf(token))
    problem(response, 401, 'no or bad token');
  else if (token !== '' && request.method !== 'GET' && request.headers['x-csrf-token'] !== kCsrf)
    problem(response, 403, 'x-csrf-token');
  else if (mode === 'other-role') problem(response, 403, 'the role feed may not do this');
  else return false;
  return true;
}

// /v1/session, as the engine has it.
async function answerSession({ mode, token }, request, response) {
  if (breaks(mode, request, response)) return undefined;
  const flags = 'Path=/; HttpOnly; SameSite=Strict';
  if (request.method === 'POST') {
    let body = '';
    for await (const part of request) body += part;
    if (JSON.parse(body).token !== token) return problem(response, 401, 'unknown token');
    response.setHeader('set-cookie', `${cookieOf(token)}; ${flags}`);
  } else if (fails({ mode: 'ok', token }, request, response)) {
    return undefined;
  } else if (request.method === 'DELETE') {
    response.setHeader('set-cookie', `shanhuo_session=; Max-Age=0; ${flags}`);
    return response.writeHead(204).end();
  }
  if (token === '') return answerJson(response, { role: 'admin', name: 'local' });
  return answerJson(response, { role: 'operator', name: 'li', csrf: kCsrf, until_ms: 9e15 });
}

// Has this page signed in already, as after an earlier visit.
export async function signInBefore(page, url, token) {
  const [name, value] = cookieOf(token).split('=');
  await page.context().addCookies([{ name, value, url }]);
}

// Listens, serves the pages and sessions of `state`, { mode, token } as a function tells it, and
// leaves everything else to answer(request, response, url). -> { url, close() }.
export async function servePages(answer, state) {
  const files = await pageFiles();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://engine');
    response.setHeader('content-security-policy', kCsp);
    response.setHeader('x-content-type-options', 'nosniff');
    const file = files[url.pathname];
    if (url.pathname === '/favicon.ico') return response.writeHead(204).end();
    if (url.pathname === '/v1/session') return answerSession(state(), request, response);
    if (!file) return answer(request, response, url);
    response.writeHead(200, { 'content-type': file[1] });
    return response.end(await readFile(new URL(file[0], kWebDist)));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
