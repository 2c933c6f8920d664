// The operators' page: what runs, how it goes, and the switches. One state, one render, one poll
// loop; operate_views.ts draws, operate_dialog.ts asks before anything changes. Address: /operate,
// optionally with ?lang=en. The token is typed once and lives in sessionStorage alone.
import { ApiError, callJson, tokenIsSendable } from './api.js';
import { byId as $, h, morph, translate } from './dom.js';
import { type Lang, clock } from './format.js';
import { Dialog } from './operate_dialog.js';
import { type World, worldOf } from './operate_model.js';
import {
  type View,
  experimentCard,
  healthBlock,
  layerCharts,
  programCard,
} from './operate_views.js';
import { words } from './operate_words.js';
import { recall, remember } from './storage.js';

const kRefreshMs = 5_000;
const kTokenKey = 'shanhuo.operator_token';
const kLangKey = 'shanhuo.lang';
// Failures that only the reader can end; polling stops until they do.
const kFinal = new Set(['unauthorized', 'forbidden']);

interface State {
  lang: string;
  token: string;
  hadToken: boolean; // a token was tried and refused, or given up
  tokenBad: boolean;
  loading: boolean;
  data: { world: World; at_ms: number } | null;
  error: ApiError | null; // of the last attempt
  notice: string;
}

const state: State = {
  lang: new URLSearchParams(location.search).get('lang') ?? recall(kLangKey) ?? 'zh',
  token: recall(kTokenKey) ?? '',
  hadToken: false,
  tokenBad: false,
  loading: false,
  data: null,
  error: null,
  notice: '',
};
let timer = 0;
let inFlight: AbortController | null = null;

function view(): View {
  const lang: Lang = state.lang === 'en' ? 'en' : 'zh';
  return { lang, words: words[lang] };
}

const dialog = new Dialog({
  token: () => state.token,
  view,
  world: () => state.data?.world ?? null,
  applied: (name) => {
    state.notice = view().words.applied(name);
    void refresh();
  },
});

async function read(signal: AbortSignal): Promise<World> {
  const get = (path: string) => callJson(path, { token: state.token, signal });
  const [programs, experiments, boosting, stats] = await Promise.all([
    get('/v1/programs'),
    get('/v1/experiments'),
    get('/v1/boosting'),
    get('/v1/stats'),
  ]);
  return worldOf(programs, experiments, boosting, stats);
}

async function refresh(): Promise<void> {
  clearTimeout(timer);
  inFlight?.abort();
  const mine = new AbortController();
  inFlight = mine;
  state.loading = true;
  render();
  try {
    const world = await read(mine.signal);
    if (mine !== inFlight) return;
    state.data = { world, at_ms: Date.now() };
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
  if (kFinal.has(error.code)) state.data = null;
  if (error.code === 'unauthorized') setToken('');
}

const polls = () => !document.hidden && !(state.error && kFinal.has(state.error.code));

function schedule(): void {
  clearTimeout(timer);
  if (!polls()) return;
  timer = setTimeout(refresh, Math.max(kRefreshMs, state.error?.retryAfterMs ?? 0));
}

function setToken(token: string): void {
  state.hadToken = state.token !== '';
  state.token = token;
  remember(kTokenKey, token);
}

function bannerText({ words: w, lang }: View): string {
  if (state.tokenBad) return w.tokenBad;
  if (state.error === null) return '';
  if (state.error.code === 'unauthorized' && !state.hadToken) return w.needToken;
  const detail = state.error.code === 'refused' ? ` ${state.error.detail}` : '';
  const stale = state.data === null ? '' : ` ${w.stale(clock(state.data.at_ms, lang))}`;
  return w.error[state.error.code] + detail + stale;
}

function render(): void {
  const now = view();
  const { words: w, lang } = now;
  document.documentElement.lang = lang === 'en' ? 'en' : 'zh-CN';
  document.title = w.pageTitle;
  translate(w);
  $('lang').textContent = w.otherLanguage;
  $('lang').lang = lang === 'en' ? 'zh-CN' : 'en';
  const code = state.error?.code;
  const asksToken = code === 'unauthorized' || code === 'forbidden';
  $('token-form').hidden = !asksToken;
  $('forget').hidden = state.token === '';
  const text = bannerText(now);
  // Only a change is written, so that an alert is read aloud once.
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('banner').hidden = text === '';
  const question = code === 'unauthorized' && !state.hadToken && !state.tokenBad;
  $('banner').classList.toggle('error', !question);
  $('retry').hidden = asksToken || state.loading;
  if ($('notice').textContent !== state.notice) $('notice').textContent = state.notice;
  $('notice').hidden = state.notice === '';
  $('loading').textContent = state.loading && state.data === null ? w.loading : '';
  $('updated').textContent = state.data === null ? '' : w.updated(clock(state.data.at_ms, lang));
  $('updated').parentElement?.classList.toggle('busy', state.loading);
  $('report').hidden = state.data === null;
  if (state.data !== null) renderWorld(state.data.world, now);
}

function renderWorld(world: World, now: View): void {
  const { words: w } = now;
  const or = (cards: HTMLElement[], empty: string) =>
    cards.length ? cards : [h('li', { className: 'empty' }, empty)];
  morph($('health'), ...healthBlock(world, now));
  $('refused').hidden = world.errors.length === 0;
  morph($('refused-list'), ...world.errors.map((text) => h('li', {}, text)));
  const programs = world.programs.map((one) => programCard(one, world.health.now, now));
  morph($('programs'), ...or(programs, w.programsEmpty));
  morph($('layers'), ...layerCharts(world.experiments, now));
  const experiments = world.experiments.map((one) => experimentCard(one, now));
  morph($('experiments'), ...or(experiments, w.experimentsEmpty));
}

async function submitToken(event: Event): Promise<void> {
  event.preventDefault();
  const input = $<HTMLInputElement>('token-input');
  const typed = input.value.trim();
  state.tokenBad = !tokenIsSendable(typed);
  if (state.tokenBad) {
    render();
    return;
  }
  input.value = '';
  setToken(typed);
  state.error = null;
  await refresh();
  if (!$('token-form').hidden) input.focus();
}

function forget(): void {
  setToken('');
  state.hadToken = false;
  state.data = null;
  state.notice = '';
  state.error = new ApiError('unauthorized');
  inFlight?.abort();
  inFlight = null;
  clearTimeout(timer);
  state.loading = false;
  render();
}

function wire(): void {
  $('token-form').addEventListener('submit', submitToken);
  $('retry').addEventListener('click', refresh);
  $('forget').addEventListener('click', forget);
  $('lang').addEventListener('click', () => {
    state.lang = state.lang === 'en' ? 'zh' : 'en';
    remember(kLangKey, state.lang);
    state.notice = '';
    render();
  });
  document.addEventListener('click', (event) => {
    const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
    if (target instanceof HTMLElement) void dialog.act(target.dataset);
  });
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (polls()) void refresh();
  });
}

wire();
void refresh();
