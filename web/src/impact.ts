// The impact page: what exposures have brought, county by county. live_page.ts asks and keeps,
// map.ts and impact_views.ts draw. Address: /impact, optionally with ?lang=en, and &to=<ms>, the
// end of the periods (for replayed or simulated days).
import { ApiError, call } from './api.js';
import { Chart } from './chart.js';
import { byId as $, h, morph } from './dom.js';
import {
  type By,
  type Impact,
  type Measure,
  type Period,
  fetchImpact,
  impactUrl,
  kMeasures,
} from './impact_model.js';
import * as views from './impact_views.js';
import { type Words, words } from './impact_words.js';
import { LivePage } from './live_page.js';
import { CountyMap, provincesWithCounties } from './map.js';
import { saveCsv } from './save.js';

const kHourMs = 3_600_000;
const kDayMs = 24 * kHourMs;
const kBeijingMs = 8 * kHourMs; // no daylight saving
const kPeakDays: Record<string, [month: number, day: number]> = {
  double11: [11, 11],
  charity99: [9, 9],
};
const kDays: Record<string, number> = { today: 1, week: 7, month: 30 };

interface Answer {
  period: Period;
  name: string; // nameNow() of then
  counties: Impact;
  parts: Impact;
}

const query = new URLSearchParams(location.search);
const state = {
  period: 'week',
  by: 'program' as By,
  measure: 'viewable' as Measure,
  province: '',
  picked: '',
  all: { counties: false, parts: false },
};
const nameNow = () => `${state.period}/${state.by}`;
const chart = new Chart($('chart'));
const lorenz = new Chart($('lorenz'));
const map = new CountyMap($('map'), pick);

const page = new LivePage<Answer, Words>({
  words,
  refreshMs: 15_000,
  asksToken: ['unauthorized', 'forbidden'],
  final: ['unauthorized', 'forbidden', 'refused'],
  read: async (signal) => {
    const name = nameNow();
    const period = periodNow();
    const get = (by: By) => fetchImpact(by, period, signal);
    const [counties, parts] = await Promise.all([get('county'), get(state.by)]);
    return { period, name, counties, parts };
  },
  holds: ({ name }) => name === nameNow(),
  render,
});

const midnight = (ms: number): number =>
  Math.floor((ms + kBeijingMs) / kDayMs) * kDayMs - kBeijingMs;

function endOfTime(): number {
  const given = Number(query.get('to'));
  return Number.isSafeInteger(given) && given > 0 ? given - 1 : Date.now();
}

// Whole days of Beijing: of today, of the last ones with today, or a peak day, the last there was.
function periodNow(): Period {
  const now = endOfTime();
  const peak = kPeakDays[state.period];
  if (peak !== undefined) {
    const [month, day] = peak;
    const year = new Date(now + kBeijingMs).getUTCFullYear();
    const of = (y: number) => Date.UTC(y, month - 1, day) - kBeijingMs;
    const from = of(year) <= now ? of(year) : of(year - 1);
    return { from, to: from + kDayMs, step: 'hour' };
  }
  const days = kDays[state.period] ?? 1;
  const to = midnight(now) + kDayMs;
  return { from: to - days * kDayMs, to, step: days === 1 ? 'hour' : 'day' };
}

const view = (): views.View => ({ lang: page.lang, words: page.words, measure: state.measure });

function render(): void {
  const w = page.words;
  $('periods').hidden = page.asksToken;
  for (const button of document.querySelectorAll<HTMLElement>('[data-action=period]')) {
    const value = button.dataset.value ?? '';
    button.textContent = w.period[value as keyof Words['period']];
    button.setAttribute('aria-pressed', String(value === state.period));
  }
  for (const button of document.querySelectorAll<HTMLElement>('[data-action=by]')) {
    const value = button.dataset.value ?? '';
    button.textContent = w.by[value as keyof Words['by']];
    button.setAttribute('aria-pressed', String(value === state.by));
  }
  $('report').setAttribute('aria-busy', String(page.loading));
  const answer = page.data?.value;
  $('report').classList.toggle('waiting', answer !== undefined && answer.name !== nameNow());
  if (answer !== undefined) renderAnswer(answer);
}

function renderAnswer({ counties, parts, period }: Answer): void {
  const now = view();
  views.renderTotals($('totals'), counties, now);
  views.renderMeasures($('measures'), now);
  renderMap(counties);
  views.renderParts($('parts'), parts.groups, state.by, state.all.parts, now);
  $('parts').hidden = parts.groups.length === 0;
  $('parts-empty').hidden = parts.groups.length > 0;
  renderTime(counties, period);
  const { equity } = counties;
  const hasEquity = equity !== null && equity.counties > 0;
  $('equity-body').hidden = !hasEquity;
  if (!hasEquity) {
    $('gini').textContent = page.words.equityEmpty;
    return;
  }
  views.renderEquity({ gini: $('gini'), lorenz: $('lorenz'), worst: $('worst') }, equity, now);
  lorenz.draw(views.lorenzOption(equity, now));
}

function renderMap({ groups }: Impact): void {
  const { words: w, lang } = page;
  const now = view();
  const options = [
    h('option', { value: '' }, w.allProvinces),
    ...provincesWithCounties.map(([id, name]) => h('option', { value: id }, w.province(name, id))),
  ];
  morph($('province'), ...options);
  const inside = groups.filter(({ key }) => key !== '' && key.startsWith(state.province));
  const sum = inside.reduce((total, one) => total + (one[state.measure] || 0), 0);
  map.draw({
    province: state.province,
    picked: state.picked,
    values: new Map(inside.map((one) => [one.key, one[state.measure] || 0])),
    label: w.mapLabel(String(inside.length), views.shown(state.measure, sum, lang)),
  });
  const { province, picked } = state;
  views.renderCounties($('counties'), groups, { province, picked, all: state.all.counties }, now);
  const group = groups.find(({ key }) => key === picked) ?? null;
  views.renderCounty($('county'), group, picked, now);
}

function renderTime(impact: Impact, period: Period): void {
  const now = view();
  const { step } = period;
  const series = views.everyStep(impact.series, period, endOfTime());
  const empty = series.length === 0;
  $('chart').hidden = empty;
  $('series-details').hidden = empty;
  $('chart-empty').hidden = !empty;
  const best = views.bestOf(series, step, now);
  $('best').textContent = best;
  $('chart').setAttribute('aria-label', `${page.words[state.measure]}. ${best}`);
  views.renderSeries($('series'), series, step, now);
  // The chart measures its element, so it comes after everything is laid out.
  if (!empty) chart.draw(views.timeOption(series, step, now));
}

function pick(code: string): void {
  state.picked = code;
  page.render();
}

async function downloadCsv(): Promise<void> {
  const button = $<HTMLButtonElement>('csv');
  if (page.data === null) return;
  button.disabled = true;
  try {
    const url = impactUrl(state.by, page.data.value.period);
    const text = await call(url, { accept: 'text/csv' });
    saveCsv(text, `impact-${state.by}-${state.period}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    page.fail(error);
  } finally {
    button.disabled = false;
  }
}

function act(action: string, value: string): void {
  if (action === 'period') state.period = value;
  else if (action === 'by') state.by = value as By;
  else if (action === 'pick') return pick(value);
  else if (action === 'measure')
    state.measure = kMeasures.find((one) => one === value) ?? 'viewable';
  else if (action === 'more') state.all[value === 'parts' ? 'parts' : 'counties'] = true;
  if (action === 'period' || action === 'by') void page.refresh();
  else page.render();
}

document.addEventListener('click', (event) => {
  const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
  if (target instanceof HTMLElement) act(target.dataset.action ?? '', target.dataset.value ?? '');
});
$('province').addEventListener('change', () => {
  state.province = $<HTMLSelectElement>('province').value;
  page.render();
});
$('csv').addEventListener('click', () => void downloadCsv());
page.start();
