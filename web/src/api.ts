// Calls to the engine that serves the page. Failures are ApiError with a `code` (a key of
// words.error) and the server's `detail`, if any.

const kTimeoutMs = 15_000;
const kDetailChars = 600;

export type ErrorCode =
  | 'no_id'
  | 'bad_id'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'refused'
  | 'busy'
  | 'server'
  | 'network'
  | 'timeout'
  | 'malformed';

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: string;
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, { status = 0, detail = '', retryAfterMs = 0 } = {}) {
    super(code);
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

export type Json = Record<string, unknown>;

export interface Range {
  from: number;
  to: number;
  step: 'hour' | 'day';
  by: string; // item, program, surface or county
}

// What a token may be made of.
export function tokenIsSendable(token: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(token);
}

// 1..128 bytes of UTF-8 without control characters (contract 2). URL resolution would eat "."
// and "..".
export function idIsValid(id: string): boolean {
  const bytes = new TextEncoder().encode(id).length;
  return bytes >= 1 && bytes <= 128 && !/[\u0000-\u001f\u007f]/.test(id) && !/^\.{1,2}$/.test(id);
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// The members of an array that are objects; whatever else stands there is left out.
export function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export const numberOf = (value: unknown): number => (typeof value === 'number' ? value : NaN);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

function codeOf(status: number): ErrorCode {
  const codes: Record<number, ErrorCode> = {
    401: 'unauthorized',
    403: 'forbidden',
    404: 'not_found',
    409: 'conflict',
    429: 'busy',
    503: 'busy',
  };
  return codes[status] ?? (status >= 500 ? 'server' : 'refused');
}

// RFC 9457: title, detail and our errors [{pointer, detail}]; anything else has no detail.
async function errorOf(response: Response): Promise<ApiError> {
  let detail = '';
  try {
    const problem: unknown = JSON.parse(await response.text());
    if (isObject(problem)) {
      const each = objectsOf(problem.errors).map(
        (e) => `${textOf(e.pointer)}: ${textOf(e.detail)}`,
      );
      const what = textOf(problem.detail) || textOf(problem.title);
      detail = [what, ...each].filter(Boolean).join('; ');
    }
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

// What writes must repeat, so that no page of another site can make them (session.ts).
let csrf = '';
export function guardWrites(word: string): void {
  csrf = word;
}

export interface CallOptions {
  accept?: string;
  signal?: AbortSignal | undefined;
  method?: string;
  body?: unknown;
}

// The text of a 2xx answer, read within kTimeoutMs. `signal` cancels: AbortError.
export async function call(url: string, options: CallOptions = {}): Promise<string> {
  const { method = 'GET', signal, body } = options;
  const abort = new AbortController();
  const cancel = () => abort.abort();
  signal?.addEventListener('abort', cancel);
  const timer = setTimeout(cancel, kTimeoutMs);
  try {
    const headers: Record<string, string> = { accept: options.accept ?? 'application/json' };
    if (method !== 'GET' && csrf !== '') headers['x-csrf-token'] = csrf;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: abort.signal,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
    });
    if (!response.ok) throw await errorOf(response);
    return await response.text();
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    if (abort.signal.aborted) throw new ApiError('timeout');
    throw new ApiError('network');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  }
}

export async function callJson(url: string, options: CallOptions = {}): Promise<Json> {
  const text = await call(url, options);
  let answer: unknown;
  try {
    answer = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ApiError('malformed');
  }
  if (!isObject(answer)) throw new ApiError('malformed');
  return answer;
}

// What GET /v1/creators/{id}/exposure answers (contract 2.4), whatever the fields of its objects.
export interface Exposure {
  totals: Json;
  series: Json[];
  groups: Json[];
  guarantees: Json[];
  not_shown: Json[];
  advice: Json[];
}

function exposureUrl(id: string, { from, to, step, by }: Range): string {
  const query = new URLSearchParams({ from: String(from), to: String(to), step, by });
  return `/v1/creators/${encodeURIComponent(id)}/exposure?${query}`;
}

export async function fetchExposure(
  id: string,
  range: Range,
  signal: AbortSignal,
): Promise<Exposure> {
  const answer = await callJson(exposureUrl(id, range), { signal });
  const { totals } = answer;
  if (!isObject(totals)) throw new ApiError('malformed');
  const list = (name: string): Json[] => {
    const value = answer[name] ?? [];
    if (!Array.isArray(value) || !value.every(isObject)) throw new ApiError('malformed');
    return value;
  };
  return {
    totals,
    series: list('series'),
    groups: list('groups'),
    guarantees: list('guarantees'),
    not_shown: list('not_shown'),
    advice: list('advice'),
  };
}

export function fetchCsv(id: string, range: Range): Promise<string> {
  return call(exposureUrl(id, range), { accept: 'text/csv' });
}
