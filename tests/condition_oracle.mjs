// The slow, obvious twin of features/condition.h: conditions evaluated by a JavaScript engine,
// whose own coercions, comparisons and patterns are what the language is defined by. Writes
// random cases with their verdicts, which tests/features_condition_test.cc replays:
//
//   node tests/condition_oracle.mjs 1 2000 > tests/data/condition_cases.json      (seed, cases)
//
// A case is [condition, attributes, expected]; the saved groups stand once at the top.

const groups = {staff: ['u1', 'u2', 7], empty: [], odd: [null, true, 'TEA', 10]};

// ---- the language
function at(object, path) {
  let here = object;
  for (const step of path.split('.')) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, step)) return null;
    here = here[step];
  }
  return here;
}

function condition(object, source, saved) {
  return Object.entries(source).every(([key, value]) => {
    if (key === '$and') return value.every((each) => condition(object, each, saved));
    if (key === '$or') return !value.length || value.some((each) => condition(object, each, saved));
    if (key === '$nor') return value.length && !value.some((each) => condition(object, each,
        saved));
    if (key === '$not') return !condition(object, value, saved);
    return passes(at(object, key), value, saved, false);
  });
}

const isOperators = (e) => e !== null && typeof e === 'object' && !Array.isArray(e) &&
    Object.keys(e).length > 0 && Object.keys(e).every((key) => key[0] === '$');

function passes(a, e, saved, fold) {
  if (typeof e === 'string') return fold ? String(a).toLowerCase() === e.toLowerCase() :
      a + '' === e;
  if (typeof e === 'number') return a * 1 === e;
  if (typeof e === 'boolean') return a !== null && !!a === e;
  if (e === null) return a === null;
  if (!isOperators(e)) return JSON.stringify(a) === JSON.stringify(e);
  return Object.entries(e).every(([op, operand]) => operator(op, a, operand, saved));
}

function padded(version) {
  if (typeof version === 'number') version = version + '';
  if (!version || typeof version !== 'string') version = '0';
  const parts = version.replace(/(^v|\+.*$)/g, '').split(/[-.]/);
  if (parts.length === 3) parts.push('~');
  return parts.map((part) => (/^[0-9]+$/.test(part) ? part.padStart(5, ' ') : part)).join('-');
}

const folded = (v) => (typeof v === 'string' ? v.toLowerCase() : v);
function isIn(a, list, fold) {
  const some = (v) => list.some((e) => (fold ? folded(v) === folded(e) : v === e));
  return Array.isArray(a) ? a.some(some) : some(a);
}

function finds(a, pattern, flags) {
  if (typeof pattern !== 'string') return false;
  try {
    return new RegExp(pattern, flags).test(a);
  } catch {
    return false;
  }
}

const operators = {
  $eq: (a, e) => a === e,
  $ne: (a, e) => a !== e,
  $lt: (a, e) => a < e,
  $lte: (a, e) => a <= e,
  $gt: (a, e) => a > e,
  $gte: (a, e) => a >= e,
  $veq: (a, e) => padded(a) === padded(e),
  $vne: (a, e) => padded(a) !== padded(e),
  $vlt: (a, e) => padded(a) < padded(e),
  $vlte: (a, e) => padded(a) <= padded(e),
  $vgt: (a, e) => padded(a) > padded(e),
  $vgte: (a, e) => padded(a) >= padded(e),
  $in: (a, e) => Array.isArray(e) && isIn(a, e, false),
  $nin: (a, e) => Array.isArray(e) && !isIn(a, e, false),
  $ini: (a, e) => Array.isArray(e) && isIn(a, e, true),
  $nini: (a, e) => Array.isArray(e) && !isIn(a, e, true),
  $inGroup: (a, e, saved) => isIn(a, saved[e] || [], false),
  $notInGroup: (a, e, saved) => !isIn(a, saved[e] || [], false),
  $all: (a, e, saved) => hasAll(a, e, saved, false),
  $alli: (a, e, saved) => hasAll(a, e, saved, true),
  $size: (a, e, saved) => Array.isArray(a) && passes(a.length, e, saved, false),
  $elemMatch: (a, e, saved) => Array.isArray(a) &&
      a.some((v) => v && (isOperators(e) ? passes(v, e, saved, false) : condition(v, e, saved))),
  $exists: (a, e) => (e ? a !== null : a === null),
  $type: (a, e) => (a === null ? 'null' : Array.isArray(a) ? 'array' : typeof a) === e,
  $not: (a, e, saved) => !passes(a, e, saved, false),
  $regex: (a, e) => finds(a, e, ''),
  $regexi: (a, e) => finds(a, e, 'i'),
};
const hasAll = (a, list, saved, fold) => Array.isArray(a) && Array.isArray(list) &&
    list.every((e) => a.some((v) => passes(v, e, saved, fold)));
const operator = (op, a, e, saved) => Boolean(Object.hasOwn(operators, op) && operators[op](a, e,
    saved));

// ---- random cases
let state = BigInt(process.argv[2] ?? 1);
function random(n) {  // SplitMix64, 0 <= result < n
  state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
  return Number((z ^ (z >> 31n)) % BigInt(n));
}
const pick = (list) => list[random(list.length)];
const some = (make) => Array.from({length: random(4)}, make);

const numbers = [0, 1, -1, 2, 3, 7, 10, 10.5, -0.25, 31, 1e-7, 1.5e-7, 0.000001, 1e20, 1e21,
    1.25e22, 123456789,
  2 ** 53, 0.1, 1e300, 5e-324];
const texts = ['', 'a', 'A', 'tea', 'TEA', 'Tea garden', '10', '10.0', ' 10 ', '1e1', '0x1F', '0x',
    '-1', '+7', '.5', '5.',
  '1e', '12px', 'Infinity', '-Infinity', 'inf', 'nan', 'NaN', 'null', 'true', 'false', '1e-7',
  '1e+21', '1,2', ',',
  'a,b', '[object Object]', '\u00a010\u3000', '1e999', '-1e-999', '十八洞猕猴桃', 'Ärger', 'ÄRGER',
  'ärger', '\u{10400}',
  '\u{10428}', '\uff5e', 'a\nb', 'u1', 'u2', '2.0', '100', '00010', '0b11', '0o17', '\u0130'];
const versions = ['1.2.3', 'v1.2.3', '1.2.3-beta', '1.2.3-beta.2', '1.2.3-beta.10',
    '1.2.3+build.7', '1.10.0', '1.9.0', '2',
  '2.0', '2.0.0', '2.0.0.0', '', 'v', '1..2', '1.2.3-', 'r100', 'r2', 'A', '100000.0.0',
  '99999.0.0', 1.5, 2, 0, null, true];
const patterns = ['tea', '^tea$', 'T[eé]a', '.', '^.b$', '^$', '\\d+', '\\s', '^\\S+$',
    '\\bgarden', '[^a-z]', 'a.b',
  'a[\\s\\S]b', '(?:te|ga)', '(?<x>t)e', '\\u0041', '\\x41', '[^]', '[]', '\\.', '[\\w.-]+',
  'x{2,1}', '(', '[', 'a{,2}',
  '\\z', '\\A', '\\pL', '(?i)tea', '[[:alpha:]]', '1{1,2}', '[\\]a]', '\\/', 'ä', '洞', '\\cJ',
  '[\\b]', 'a|^1', '\\ud801\\udc00',
  '\\-', '^[^\\S ]', '\\0', 'null', 'true|,', '[A-F]$', '\\_', 'a**'];
const keys = ['a', 'b', 'c', 'd'];
const paths = ['a', 'b', 'c', 'd', 'a.b', 'a.b.c', 'b.0', 'c.1', 'c.01', 'd.0.a', 'b.a', 'zz',
    'a.zz', ''];
const scalar = () => pick([null, true, false, pick(numbers), pick(numbers), pick(texts),
    pick(texts), pick(texts)]);

function value(depth) {
  const kind = random(depth > 0 ? 10 : 7);
  if (kind < 6) return scalar();
  if (kind === 6) return pick(versions);
  if (kind < 9) return some(() => value(depth - 1));
  return object(depth);
}
const object = (depth) => Object.fromEntries(some(() => [pick(keys), value(depth - 1)]));

const anOperand = {
  $in: () => (random(8) ? some(scalar) : scalar()),
  $all: (depth) => (random(8) ? some(() => test(depth - 1)) : scalar()),
  $size: () => pick([0, 1, 2, 3, '1', {$gt: 1}, {$lte: 2}, true]),
  $elemMatch: (depth) => (random(2) ? operatorsOf(depth - 1) : someCondition(depth - 1)),
  $exists: () => pick([true, false, 1, 0, 'false', null]),
  $type: () => pick(['string', 'number', 'boolean', 'array', 'object', 'null', 'undefined', 7]),
  $not: (depth) => test(depth - 1),
  $regex: () => (random(12) ? pick(patterns) : 5),
  $v: () => pick(versions),
  $inGroup: () => pick(['staff', 'empty', 'odd', 'none', 5]),
};
const like = {$nin: '$in', $ini: '$in', $nini: '$in', $alli: '$all', $regexi: '$regex',
    $notInGroup: '$inGroup'};

function operatorsOf(depth) {
  const result = {};
  for (let left = 1 + (random(4) === 0 ? 1 : 0); left > 0; left--) {
    const op = random(40) ? pick(Object.keys(operators)) : pick(['$or', '$notRegex', '$']);
    const make = anOperand[like[op] ?? (op.startsWith('$v') ? '$v' : op)] ?? (() => value(1));
    result[op] = make(depth);
  }
  return result;
}
function test(depth) {
  if (depth <= 0) return scalar();
  return random(3) ? operatorsOf(depth) : random(2) ? scalar() : value(2);
}
function someCondition(depth) {
  const result = {};
  for (let left = random(3) + (depth === 3 ? 1 : 0); left > 0; left--) {
    const kind = depth > 0 ? random(12) : 99;
    if (kind < 3) result[pick(['$and', '$or', '$nor'])] = some(() => someCondition(depth - 1));
    else if (kind === 3) result.$not = someCondition(depth - 1);
    else result[random(30) ? pick(paths) : '$x'] = test(depth);
  }
  return result;
}

// One operator on one value that it suits, so that most verdicts depend on the operator's own rule.
function closeCase() {
  const op = pick(Object.keys(operators));
  const family = like[op] ?? (op.startsWith('$v') ? '$v' : op);
  const suited = family === '$v' ? pick(versions) : ['$all', '$size',
      '$elemMatch'].includes(family) ? some(() => value(1)) : value(1);
  const plain = random(4) ? suited : Array.isArray(suited) ? suited.slice(0, 1) : suited;
  const operand = random(4) || ['$regex', '$inGroup', '$elemMatch'].includes(family) ?
      (anOperand[family] ?? (() => value(1)))(2) :
    family === '$in' || family === '$all' ? [plain].flat() : plain;
  return [{a: random(5) ? {[op]: operand} : random(2) ? operand : suited}, {a: suited}];
}

const cases = [], wanted = Number(process.argv[3] ?? 1500);
const verdicts = {true: 0, false: 0};
while (cases.length < wanted) {
  const close = random(3) > 0;
  const draft = close ? closeCase() : [someCondition(3), object(3)];
  for (const key of keys) if (!close && random(2)) draft[1][key] = value(2);
  const [source,
      attributes] = JSON.parse(JSON.stringify(draft));  // nothing shared: === sees identity
  const expected = Boolean(condition(attributes, source, groups));
  if (verdicts[expected] * 2 > wanted) continue;  // as many of one as of the other
  verdicts[expected]++;
  cases.push([source, attributes, expected]);
}
const lines = cases.map((each) => JSON.stringify(each)).join(',\n');
process.stdout.write(`{"groups": ${JSON.stringify(groups)},\n"cases": [\n${lines}\n]}\n`);
