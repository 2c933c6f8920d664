// A creator's exposure, for a farmer with a phone: live_page.ts asks and keeps, report.ts and
// chart.ts draw. Address: /creator?id=<creator_id>, optionally &lang=en and &to=<ms>, the end of
// the ranges (for replayed or simulated days).
import {
  ApiError,
  type Exposure,
  type Json,
  type Range,
  fetchCsv,
  fetchExposure,
  idIsValid,
  numberOf,
} from './api.js';
import { Chart, exposureOption, filled } from './chart.js';
import { byId as $ } from './dom.js';
import { count } from './format.js';
import { LivePage } from './live_page.js';
import { CountyMap, isCounty832 } from './map.js';
import * as report from './report.js';
import { saveCsv } from './save.js';
import { type Words, words } from './words.js';

const kHourMs = 3_600_000;
const kDayMs = 86_400_000;
const kBeijingMs = 8 * kHourMs; // no daylight saving
const kRanges: Record<string, { days: number; step: 'hour' | 'day' }> = {
  day: { days: 1, step: 'hour' },
  week: { days: 7, step: 'day' },
  month: { days: 30, step: 'day' },
};

// Numbers with what they are of, so that none are shown under another heading.
interface Answer {
  exposure: Exposure;
  range: Range;
  name: string; // nameNow() of then
  parts: Json[]; // rows of the table
  before: Json | null; // totals of the period before
}

const query = new URLSearchParams(location.search);
const id = query.get('id') ?? '';
const chart = new Chart($('chart'));
const map = new CountyMap($('map'), () => undefined);
let before = { name: '', totals: null as Json | null }; // it hardly changes: asked for once an hour
const state = { range: 'day', by: 'item', allItems: false }; // `by`: what the table has rows of
const nameNow = () => `${state.range}/${state.by}`;

const page = new LivePage<Answer, Words>({
  words,
  refreshMs: 4_000,
  asksToken: ['unauthorized', 'forbidden', 'not_found'],
  final: ['no_id', 'bad_id', 'unauthorized', 'forbidden', 'not_found', 'refused'],
  read: async (signal) => {
    if (id === '') throw new ApiError('no_id');
    if (!idIsValid(id)) throw new ApiError('bad_id');
    const name = nameNow();
    const range = rangeNow();
    const [exposure, earlier] = await Promise.all([
      fetchExposure(id, { ...range, by: 'item' }, signal),
      readBefore(range, signal),
    ]);
    const parts = await readParts(exposure, range, signal);
    return { exposure, range, name, parts, before: earlier };
  },
  holds: ({ name }) => name === nameNow(),
  render,
});

function endOfTime(): number {
  const given = Number(query.get('to'));
  return Number.isSafeInteger(given) && given > 0 ? given - 1 : Date.now();
}

// Whole days of Beijing up to this one.
function rangeNow(): Range {
  const { days, step } = kRanges[state.range] ?? { days: 1, step: 'hour' };
  const today = Math.floor((endOfTime() + kBeijingMs) / kDayMs) * kDayMs - kBeijingMs;
  return { from: today - (days - 1) * kDayMs, to: today + kDayMs, step, by: state.by };
}

// Totals of as many days before: of yesterday all, of a week or month no more hours than have
// passed of this one.
async function readBefore(range: Range, signal: AbortSignal): Promise<Json> {
  const span = range.to - range.from;
  const passed = (Math.floor(endOfTime() / kHourMs) + 1) * kHourMs;
  const to = (span === kDayMs ? range.to : Math.min(range.to, passed)) - span;
  const name = `${range.from - span}/${to}`;
  if (before.name !== name || before.totals === null) {
    const earlier = { from: range.from - span, to, step: range.step, by: 'item' };
    before = { name, totals: (await fetchExposure(id, earlier, signal)).totals };
  }
  return before.totals ?? {};
}

async function readParts(
  exposure: Exposure,
  range: Range,
  signal: AbortSignal,
): Promise<Json[]> {
  if (range.by === 'item') return exposure.groups;
  if (range.by !== 'hour') return (await fetchExposure(id, range, signal)).groups;
  const byHour: Range = { ...range, step: 'hour', by: 'surface' };
  return report.hoursOfDay((await fetchExposure(id, byHour, signal)).series, kBeijingMs);
}

const byButtons = () => $('bys').querySelectorAll<HTMLElement>('[data-by]');
const rangeButtons = () => $('ranges').querySelectorAll<HTMLElement>('[data-range]');

function render(): void {
  const code = page.error?.code;
  const noId = code === 'no_id' || code === 'bad_id';
  $('who').textContent = id;
  $('id-form').hidden = !noId;
  $('ranges').hidden = noId || page.asksToken;
  for (const button of rangeButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.range === state.range));
  }
  for (const button of byButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.by === state.by));
  }
  $('report').setAttribute('aria-busy', String(page.loading));
  const answer = page.data?.value;
  $('report').classList.toggle('waiting', answer !== undefined && answer.name !== nameNow());
  if (answer !== undefined) renderReport(answer);
}

function renderReport({ exposure, range, parts, before: earlier }: Answer): void {
  const { words: w, lang } = page;
  const { totals } = exposure;
  const groups = parts;
  const to = Math.min(range.to, endOfTime());
  const points = filled(exposure.series, { ...range, to });
  const isDay = range.to - range.from === kDayMs;
  report.renderTotals($('totals'), totals, { before: earlier, isDay }, w);
  report.renderBoosted($('boosted'), totals, w);
  report.renderAdvice($('advice'), exposure.advice, w);
  renderMap(range.by === 'county' ? groups : []);
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
  if (points.length > 0) chart.draw(exposureOption(points, range.step, lang, w));
}

// Where the goods come from; nothing of the 832, no map.
function renderMap(groups: Json[]): void {
  const known = groups.filter(({ key }) => isCounty832(String(key)));
  $('map').hidden = known.length === 0;
  if (known.length === 0) return;
  const values = new Map(known.map((one) => [String(one.key), numberOf(one.viewable) || 0]));
  const label = page.words.mapLabel(count(known.length));
  map.draw({ province: '', picked: '', values, label });
}

async function downloadCsv() {
  const button = $<HTMLButtonElement>('csv');
  if (page.data === null) return;
  button.disabled = true;
  try {
    const { range } = page.data.value;
    const by = range.by === 'hour' ? 'item' : range.by;
    const text = await fetchCsv(id, { ...range, by });
    saveCsv(text, `exposure-${id}-${state.range}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    page.fail(error);
  } finally {
    button.disabled = false;
  }
}

function wire(): void {
  $('csv').addEventListener('click', downloadCsv);
  $('items-more').addEventListener('click', () => {
    state.allItems = true;
    page.render();
  });
  for (const button of byButtons()) {
    button.addEventListener('click', () => {
      state.by = button.dataset.by ?? 'item';
      state.allItems = false;
      void page.refresh();
    });
  }
  for (const button of rangeButtons()) {
    button.addEventListener('click', () => {
      state.range = button.dataset.range ?? 'day';
      void page.refresh();
    });
  }
}

wire();
page.start();
