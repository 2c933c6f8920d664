// A creator's exposure, for a farmer with a phone. One state, one render, one poll loop;
// report.js and chart.js draw, api.js asks. Address: /creator?id=<creator_id>, optionally &lang=en
// and &to=<ms>, the end of the ranges (for replayed or simulated days). The token is typed once and
// lives in sessionStorage alone.
import {
  ApiError,
  type Exposure,
  type Range,
  fetchCsv,
  fetchExposure,
  idIsValid,
  tokenIsSendable,
} from './api.js';
import { ExposureChart, filled } from './chart.js';
import { byId as $, translate } from './dom.js';
import { type Lang, clock, count } from './format.js';
import * as report from './report.js';
import { recall, remember } from './storage.js';
import { type Words, words } from './words.js';

const kRefreshMs = 30_000;
const kTokenKey = 'shanhuo.creator_token';
const kLangKey = 'shanhuo.lang';
const kHourMs = 3_600_000;
const kDayMs = 86_400_000;
const kBeijingMs = 8 * kHourMs; // no daylight saving
const kRanges: Record<string, { days: number; step: 'hour' | 'day' }> = {
  day: { days: 1, step: 'hour' },
  week: { days: 7, step: 'day' },
  month: { days: 30, step: 'day' },
};
// Failures that only the reader can end; polling stops until they do.
const kFinal = new Set(['no_id', 'bad_id', 'unauthorized', 'forbidden', 'not_found', 'refused']);

const query = new URLSearchParams(location.search);
const chart = new ExposureChart($('chart'));
interface State {
  id: string;
  lang: string;
  token: string;
  hadToken: boolean; // a token was tried and refused, or given up
  range: string;
  by: string; // what the table has rows of
  allItems: boolean;
  loading: boolean;
  // The last good answer; `name` is nameNow() of then.
  data: { exposure: Exposure; range: Range; name: string; at_ms: number } | null;
  error: ApiError | null; // of the last attempt
  tokenBad: boolean;
}

const state: State = {
  id: query.get('id') ?? '',
  lang: query.get('lang') ?? recall(kLangKey) ?? 'zh',
  token: recall(kTokenKey) ?? '',
  hadToken: false,
  range: 'day',
  by: 'item',
  allItems: false,
  loading: false,
  data: null,
  error: null,
  tokenBad: false,
};
let timer = 0;
let inFlight: AbortController | null = null; // of the running request

// [from, to) on whole hours, which is how exposure is kept; days are Beijing's.
function rangeNow(): Range {
  const { days, step } = kRanges[state.range] ?? { days: 1, step: 'hour' };
  const given = Number(query.get('to'));
  const now = Number.isSafeInteger(given) && given > 0 ? given - 1 : Date.now();
  const to = (Math.floor(now / kHourMs) + 1) * kHourMs;
  const today = Math.floor((now + kBeijingMs) / kDayMs) * kDayMs - kBeijingMs;
  const from = step === 'hour' ? to - days * kDayMs : today - (days - 1) * kDayMs;
  return { from, to, step, by: state.by };
}

// What the numbers are of, so that none are shown under another heading.
const nameNow = () => `${state.range}/${state.by}`;

async function refresh() {
  clearTimeout(timer);
  inFlight?.abort();
  const mine = new AbortController();
  inFlight = mine;
  state.loading = true;
  render();
  try {
    if (state.id === '') throw new ApiError('no_id');
    if (!idIsValid(state.id)) throw new ApiError('bad_id');
    const name = nameNow();
    const range = rangeNow();
    const exposure = await fetchExposure(state.id, range, state.token, mine.signal);
    if (mine !== inFlight) return;
    state.data = { exposure, range, name, at_ms: Date.now() };
    state.error = null;
  } catch (error) {
    if (mine !== inFlight) return; // a newer request took over
    if (!(error instanceof ApiError)) throw error;
    fail(error);
  }
  state.loading = false;
  inFlight = null;
  render();
  schedule();
}

function fail(error: ApiError): void {
  state.error = error;
  const final = kFinal.has(error.code);
  // Not the numbers of another range, nor those that the reader may no longer see.
  if (final || state.data?.name !== nameNow()) state.data = null;
  if (error.code === 'unauthorized') setToken('');
}

function polls(): boolean {
  return !document.hidden && !(state.error && kFinal.has(state.error.code));
}

function schedule() {
  clearTimeout(timer);
  if (!polls()) return;
  timer = setTimeout(refresh, Math.max(kRefreshMs, state.error?.retryAfterMs ?? 0));
}

const byButtons = () => $('bys').querySelectorAll<HTMLElement>('[data-by]');
const rangeButtons = () => $('ranges').querySelectorAll<HTMLElement>('[data-range]');

function setToken(token: string): void {
  state.hadToken = state.token !== '';
  state.token = token;
  remember(kTokenKey, token);
}

function render() {
  const lang: Lang = state.lang === 'en' ? 'en' : 'zh';
  const w = words[lang];
  document.documentElement.lang = lang === 'en' ? 'en' : 'zh-CN';
  document.title = w.pageTitle;
  translate(w);
  $('lang').textContent = w.otherLanguage;
  $('lang').lang = lang === 'en' ? 'zh-CN' : 'en';
  $('who').textContent = state.id;
  renderAround(w, lang);
  $('report').hidden = state.data === null;
  if (state.data !== null) renderReport(w, lang);
}

// Everything but the numbers: banner, forms, buttons, status line.
function renderAround(w: Words, lang: Lang): void {
  const code = state.error?.code;
  const noId = code === 'no_id' || code === 'bad_id';
  const asksToken = code === 'unauthorized' || code === 'forbidden' || code === 'not_found';
  $('id-form').hidden = !noId;
  $('token-form').hidden = !asksToken;
  $('forget').hidden = state.token === '';
  $('ranges').hidden = noId || asksToken;
  for (const button of rangeButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.range === state.range));
  }
  for (const button of byButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.by === state.by));
  }
  $('report').setAttribute('aria-busy', String(state.loading));
  $('report').classList.toggle('waiting', state.data !== null && state.data.name !== nameNow());
  const text = bannerText(w, lang);
  // Only a change is written, so that an alert is read aloud once.
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('banner').hidden = text === '';
  $('banner').classList.toggle(
    'error',
    code !== 'unauthorized' || state.hadToken || state.tokenBad,
  );
  $('retry').hidden = noId || asksToken || state.loading;
  const updated = state.data === null ? '' : w.updated(clock(state.data.at_ms, lang));
  // Only the first load is announced: a voice every 30 seconds would be a nuisance.
  $('loading').textContent = state.loading && state.data === null ? w.loading : '';
  $('updated').textContent = updated;
  $('updated').parentElement?.classList.toggle('busy', state.loading);
}

function bannerText(w: Words, lang: Lang): string {
  if (state.tokenBad) return w.tokenBad;
  const error = state.error;
  if (error === null) return '';
  // Nobody typed a token yet: a question, not a mistake.
  if (error.code === 'unauthorized' && !state.hadToken) return w.needToken;
  const detail = error.code === 'refused' && error.detail !== '' ? ` ${error.detail}` : '';
  const stale = state.data === null ? '' : ` ${w.stale(clock(state.data.at_ms, lang))}`;
  return w.error[error.code] + detail + stale;
}

function renderReport(w: Words, lang: Lang): void {
  if (state.data === null) return;
  const { exposure, range } = state.data;
  const { totals, groups } = exposure;
  const points = filled(exposure.series, range);
  report.renderTotals($('totals'), totals, w);
  report.renderSeries($('series'), points, range.step, lang, w);
  report.renderGuarantees($('guarantees'), exposure.guarantees, w);
  report.renderItems($('items'), groups, { all: state.allItems, by: range.by }, w);
  report.renderReasons($('reasons'), exposure.not_shown, w);
  $('items').hidden = groups.length === 0;
  $('items-empty').hidden = groups.length > 0;
  $('items-more').hidden = !report.itemsAreCut(groups, state.allItems);
  $('items-more').textContent = w.itemsMore(count(groups.length));
  $('chart').hidden = points.length === 0;
  $('series-details').hidden = points.length === 0;
  $('chart-empty').hidden = points.length > 0;
  $('chart').setAttribute(
    'aria-label',
    w.chartLabel(count(totals.served), count(totals.viewable), count(totals.boosted_viewable)),
  );
  // The chart measures its element, so it comes after everything is laid out.
  if (points.length > 0) chart.draw(points, range.step, lang, w);
}

async function downloadCsv() {
  const button = $<HTMLButtonElement>('csv');
  if (state.data === null) return;
  button.disabled = true;
  try {
    const range = state.data.range;
    const text = await fetchCsv(state.id, range, state.token);
    // The mark in front makes spreadsheets read Chinese as UTF-8.
    const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
    const safeId = state.id.replace(/[^\p{L}\p{N}_-]/gu, '_');
    Object.assign(document.createElement('a'), {
      href: url,
      download: `exposure-${safeId}-${state.range}.csv`,
    }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fail(error);
    render();
    schedule();
  } finally {
    button.disabled = false;
  }
}

async function submitToken(event: Event): Promise<void> {
  event.preventDefault();
  const typed = $<HTMLInputElement>('token-input').value.trim();
  state.tokenBad = !tokenIsSendable(typed);
  if (state.tokenBad) {
    render();
    return;
  }
  $<HTMLInputElement>('token-input').value = '';
  setToken(typed);
  state.error = null;
  await refresh();
  if (!$('token-form').hidden) $('token-input').focus();
}

function wire() {
  $('token-form').addEventListener('submit', submitToken);
  $('retry').addEventListener('click', refresh);
  $('csv').addEventListener('click', downloadCsv);
  $('forget').addEventListener('click', () => {
    setToken('');
    state.hadToken = false;
    state.data = null;
    state.error = new ApiError('unauthorized');
    inFlight?.abort();
    inFlight = null;
    clearTimeout(timer);
    state.loading = false;
    render();
  });
  $('lang').addEventListener('click', () => {
    state.lang = state.lang === 'en' ? 'zh' : 'en';
    remember(kLangKey, state.lang);
    render();
  });
  $('items-more').addEventListener('click', () => {
    state.allItems = true;
    render();
  });
  for (const button of byButtons()) {
    button.addEventListener('click', () => {
      state.by = button.dataset.by ?? 'item';
      state.allItems = false;
      void refresh();
    });
  }
  for (const button of rangeButtons()) {
    button.addEventListener('click', () => {
      state.range = button.dataset.range ?? 'day';
      refresh();
    });
  }
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (polls()) refresh();
  });
}

wire();
refresh();
