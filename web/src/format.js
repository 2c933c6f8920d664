// Numbers, money and times as a reader in China writes them. What the API leaves out is a dash;
// nothing is rounded except shares and paces.

const kNone = '—';
const kZone = 'Asia/Shanghai';
const kGrouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

// Chinese dates; English ones day first.
const formats = { zh: {}, en: {} };
for (const [lang, locale] of [
  ['zh', 'zh-CN'],
  ['en', 'en-GB'],
]) {
  const make = (options) =>
    new Intl.DateTimeFormat(locale, { timeZone: kZone, hourCycle: 'h23', ...options });
  formats[lang].hour = make({ hour: '2-digit', minute: '2-digit' });
  formats[lang].dayHour = make({
    month: 'numeric',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
  formats[lang].day = make({ month: 'numeric', day: 'numeric' });
  formats[lang].clock = make({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

export function count(value) {
  return Number.isFinite(value) ? kGrouped.format(value) : kNone;
}

// fen -> "¥1,234.56", by integer arithmetic; refunds may make it negative.
export function yuan(fen) {
  if (!Number.isSafeInteger(fen)) return kNone;
  const whole = Math.floor(Math.abs(fen) / 100);
  const rest = String(Math.abs(fen) % 100).padStart(2, '0');
  return `${fen < 0 ? '-' : ''}¥${kGrouped.format(whole)}.${rest}`;
}

// part of whole -> "12.3%"; a dash when there is no whole.
export function share(part, whole = 1) {
  if (!Number.isFinite(part) || !Number.isFinite(whole) || whole <= 0) return kNone;
  const percent = (part / whole) * 100;
  return `${percent.toFixed(percent > 0 && percent < 99.95 ? 1 : 0)}%`;
}

// The start of a bucket, for the axis (short) and for the table (with its date).
export function bucket(ts_ms, step, lang, withDate) {
  const { day, hour, dayHour } = formats[lang];
  if (step === 'day') return day.format(ts_ms);
  return withDate ? dayHour.format(ts_ms) : hour.format(ts_ms);
}

export function clock(ms, lang) {
  return formats[lang].clock.format(ms);
}
