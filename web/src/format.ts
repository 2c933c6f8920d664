// Numbers, money and times as a reader in China writes them. What the API leaves out is a dash;
// nothing is rounded except shares and paces.

const kNone = '—';
const kZone = 'Asia/Shanghai';
const kGrouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

// Chinese dates; English ones day first.
export type Lang = 'zh' | 'en';

function formatsOf(locale: string) {
  const make = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: kZone, hourCycle: 'h23', ...options });
  return {
    hour: make({ hour: '2-digit', minute: '2-digit' }),
    dayHour: make({ month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' }),
    day: make({ month: 'numeric', day: 'numeric' }),
    date: make({ year: 'numeric', month: 'numeric', day: 'numeric' }),
    clock: make({ hour: '2-digit', minute: '2-digit', second: '2-digit' }),
  };
}
const formats = { zh: formatsOf('zh-CN'), en: formatsOf('en-GB') };

export function count(value: unknown): string {
  return typeof value === 'number' && Number.isFinite(value) ? kGrouped.format(value) : kNone;
}

// fen -> "¥1,234.56", by integer arithmetic; refunds may make it negative.
export function yuan(fen: unknown): string {
  if (typeof fen !== 'number' || !Number.isSafeInteger(fen)) return kNone;
  const whole = Math.floor(Math.abs(fen) / 100);
  const rest = String(Math.abs(fen) % 100).padStart(2, '0');
  return `${fen < 0 ? '-' : ''}¥${kGrouped.format(whole)}.${rest}`;
}

// part of whole -> "12.3%"; a dash when there is no whole.
export function share(part: unknown, whole: unknown = 1): string {
  if (typeof part !== 'number' || typeof whole !== 'number') return kNone;
  if (!Number.isFinite(part) || !Number.isFinite(whole) || whole <= 0) return kNone;
  const percent = (part / whole) * 100;
  const size = Math.abs(percent);
  const shown = percent.toFixed(size >= 0.05 && size < 99.95 ? 1 : 0);
  return `${shown === '-0' ? '0' : shown}%`;
}

// 0.123 -> "+12.3%", -0.04 -> "−4.0%": how much more or less.
export function signedShare(value: number): string {
  if (!Number.isFinite(value)) return kNone;
  const shown = Math.abs(value * 100).toFixed(1);
  return `${Number(shown) === 0 ? '' : value < 0 ? '−' : '+'}${shown}%`;
}

// Of any size: 12345 -> "12,345", 0.051234 -> "0.0512", 1.2e-9 -> "1.2e-9".
export function significant(value: number): string {
  if (!Number.isFinite(value)) return kNone;
  const size = Math.abs(value);
  if (size >= 1000) return kGrouped.format(Math.round(value));
  if (size !== 0 && size < 1e-4) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

// The start of a bucket, for the axis (short) and for the table (with its date).
export function bucket(ts_ms: number, step: string, lang: Lang, withDate: boolean): string {
  const { day, hour, dayHour } = formats[lang];
  if (step === 'day') return day.format(ts_ms);
  return withDate ? dayHour.format(ts_ms) : hour.format(ts_ms);
}

export function clock(ms: number, lang: Lang): string {
  return formats[lang].clock.format(ms);
}

// "2026/9/20 08:00", or a dash.
export function moment(ms: number, lang: Lang): string {
  if (!Number.isFinite(ms)) return kNone;
  return `${formats[lang].date.format(ms)} ${formats[lang].hour.format(ms)}`;
}

// Large numbers in the units that people use: 万 and 亿, or thousands and millions; three digits of
// them, the rest is left to a table. Smaller ones as count().
const kCompactFrom = 10_000;
const compact = {
  zh: new Intl.NumberFormat('zh-CN', { notation: 'compact', maximumSignificantDigits: 3 }),
  en: new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 }),
};

export function people(value: unknown, lang: Lang): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return kNone;
  if (Math.abs(value) < kCompactFrom) return count(value);
  return compact[lang].format(value);
}

// fen -> "¥12.3万"; below 10,000 yuan as yuan().
export function money(fen: unknown, lang: Lang): string {
  if (typeof fen !== 'number' || Math.abs(fen) < kCompactFrom * 100) return yuan(fen);
  return `${fen < 0 ? '-' : ''}¥${compact[lang].format(Math.abs(fen) / 100)}`;
}

// Grams as 斤 of 500 g, or kilograms.
export function weight(grams: unknown, lang: Lang): string {
  if (typeof grams !== 'number' || !Number.isFinite(grams)) return kNone;
  const [unit, name] = lang === 'zh' ? [500, '斤'] : [1000, 'kg'];
  const value = grams / unit;
  return `${people(value < 100 ? Math.round(value * 10) / 10 : Math.round(value), lang)} ${name}`;
}

// Milliseconds as hours, below one as minutes: "2.26 小时", "12 min".
export function hours(ms: unknown, lang: Lang): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return kNone;
  const minutes = ms / 60_000;
  const [hour, minute] = lang === 'zh' ? ['小时', '分钟'] : ['h', 'min'];
  return minutes < 60
    ? `${count(Math.round(minutes))} ${minute}`
    : `${count(minutes / 60)} ${hour}`;
}
