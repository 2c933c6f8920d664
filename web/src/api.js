// The one call of this page: GET /v1/creators/{id}/exposure (contract 2.4), as JSON or CSV.
// Failures are ApiError with a `code` (a key of words.error) and the server's `detail`, if any.

const kTimeoutMs = 15_000;
const kDetailChars = 300;

export class ApiError extends Error {
  constructor(code, { status = 0, detail = '', retryAfterMs = 0 } = {}) {
    super(code);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

// What a header may carry; an empty token is fine with a loopback engine.
export function tokenIsSendable(token) {
  return /^[\x21-\x7e]*$/.test(token);
}

// 1..128 bytes of UTF-8 without control characters (contract 2). URL resolution would eat "."
// and "..".
export function idIsValid(id) {
  const bytes = new TextEncoder().encode(id).length;
  return bytes >= 1 && bytes <= 128 && !/[\u0000-\u001f\u007f]/.test(id) && !/^\.{1,2}$/.test(id);
}

function exposureUrl(id, { from, to, step }) {
  const query = new URLSearchParams({ from, to, step, by: 'item' });
  return `/v1/creators/${encodeURIComponent(id)}/exposure?${query}`;
}

function codeOf(status) {
  const codes = {
    401: 'unauthorized',
    403: 'forbidden',
    404: 'not_found',
    429: 'busy',
    503: 'busy',
  };
  return codes[status] ?? (status >= 500 ? 'server' : 'refused');
}

// RFC 9457: title, detail and our errors [{pointer, detail}]; anything else has no detail.
async function errorOf(response) {
  let detail = '';
  try {
    const problem = JSON.parse(await response.text());
    const each = Array.isArray(problem.errors)
      ? problem.errors.map((e) => `${e.pointer}: ${e.detail}`)
      : [];
    detail = [problem.detail ?? problem.title ?? '', ...each].filter(Boolean).join('; ');
  } catch {
    // The status says enough.
  }
  const seconds = Number(response.headers.get('retry-after'));
  return new ApiError(codeOf(response.status), {
    status: response.status,
    detail: detail.slice(0, kDetailChars),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0,
  });
}

// Runs `read(response)` on a 2xx answer, all of it within kTimeoutMs. `signal` cancels: AbortError.
async function call(url, token, accept, signal, read) {
  const abort = new AbortController();
  const cancel = () => abort.abort();
  signal?.addEventListener('abort', cancel);
  const timer = setTimeout(cancel, kTimeoutMs);
  try {
    const headers = { accept };
    if (token !== '') headers.authorization = `Bearer ${token}`;
    const response = await fetch(url, {
      headers,
      signal: abort.signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
    if (!response.ok) throw await errorOf(response);
    return await read(response);
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    if (abort.signal.aborted) throw new ApiError('timeout');
    throw new ApiError('network');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  }
}

// -> { totals, series, groups, guarantees, not_shown }: an object and four arrays of objects,
// whatever their fields.
export async function fetchExposure(id, range, token, signal) {
  const text = await call(exposureUrl(id, range), token, 'application/json', signal, (r) =>
    r.text(),
  );
  const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new ApiError('malformed');
  }
  if (!isObject(answer) || !isObject(answer.totals)) throw new ApiError('malformed');
  for (const name of ['series', 'groups', 'guarantees', 'not_shown']) {
    answer[name] ??= [];
    if (!Array.isArray(answer[name]) || !answer[name].every(isObject))
      throw new ApiError('malformed');
  }
  return answer;
}

export function fetchCsv(id, range, token) {
  return call(exposureUrl(id, range), token, 'text/csv', undefined, (r) => r.text());
}
