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

// Fails a request as `mode` says, or because it does not bear `token`. -> whether it did.
export function fails({ mode, token }, request, response) {
  if (mode === 'down') request.socket.destroy();
  else if (mode === 'busy') problem(response, 503, 'shedding', { 'retry-after': '40' });
  else if (mode === 'broken') response.writeHead(200).end('<html>proxy</html>');
  else if (token !== '' && request.headers.authorization !== `Bearer ${token}`)
    problem(response, 401, 'no or bad token');
  else if (mode === 'other-role') problem(response, 403, 'the role feed may not do this');
  else return false;
  return true;
}

// Listens, serves the pages and leaves everything else to answer(request, response, url).
// -> { url, close() }.
export async function servePages(answer) {
  const files = await pageFiles();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://engine');
    response.setHeader('content-security-policy', kCsp);
    response.setHeader('x-content-type-options', 'nosniff');
    const file = files[url.pathname];
    if (url.pathname === '/favicon.ico') return response.writeHead(204).end();
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
