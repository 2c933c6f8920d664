// Random flags and experiments with the verdicts of GrowthBook's own SDK, in the form of its
// cases.json: what tests/serving_conformance_test.cc replays against configs/.
//
//   npm i @growthbook/growthbook && node tests/flag_oracle.mjs 1 300 > tests/data/flag_cases.json
//                                                              (seed, cases of each section)
//
// What it leaves out on purpose: what only a browser does, texts that are not ASCII (the SDKs
// disagree on them), and malformed payloads, at which the reference throws.

import {GrowthBook, StickyBucketService} from '@growthbook/growthbook';

const [seed, count] = process.argv.slice(2).map(Number);
let state = seed >>> 0;
// Mulberry32.
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const one = (list) => list[below(list.length)];
const chance = (p) => random() < p;
const some = (list) => list.filter(() => chance(0.5));

const users = ['u1', 'u2', 'u3', 'user-17', 'a b', '42', 42, 0, '', null, true, 3.5];
const scalars = ['tea', 'pear', 1, 0, -2.5, true, false, null, '', '10', 10];
const values = [...scalars, [1, 2], [], {a: 1}, {}];

function attributes() {
  const out = {};
  if (chance(0.9)) out.id = one(users);
  if (chance(0.5)) out.device = one(['d1', 'd2', '', 7]);
  if (chance(0.4)) out.company = one(['c1', 'c2', {x: 1}, ['p', 'q']]);
  if (chance(0.7)) out.tier = one(['light', 'medium', 'heavy']);
  if (chance(0.7)) out.age = one([0, 17, 18, 40, '18', null]);
  if (chance(0.4)) out['dotted.name'] = 'd3';
  if (chance(0.3)) out.dotted = {name: 'other'};
  if (chance(0.5)) out.tags = some(['tea', 'pear', 'plum']);
  return out;
}

function condition() {
  return one([
    {}, {tier: 'light'}, {tier: {$in: ['light', 'medium']}}, {age: {$gte: 18}},
    {age: {$lt: 18}}, {tags: {$elemMatch: {$eq: 'tea'}}}, {$or: [{tier: 'heavy'}, {age: 40}]},
    {$not: {tier: 'light'}}, {id: {$inGroup: 'staff'}}, {id: {$notInGroup: 'staff'}},
    {age: {$exists: true}}, {tier: {$regex: '^h'}}, {nobody: {$what: 1}},
  ]);
}

function parentCondition() {
  return one([{value: true}, {value: {$exists: true}}, {value: 'tea'}, {value: {$gt: 0}}, {},
    {'value.a': 1}, {value: {$inGroup: 'staff'}}, {value: null}]);
}

function ends() {
  const low = below(10) / 10;
  return [low, Math.min(1, low + below(8) / 10)];
}

const hashNames = ['id', 'device', 'company', 'dotted.name', 'missing', ''];

function hashFields(out) {
  if (chance(0.4)) out.hashAttribute = one(hashNames);
  if (chance(0.3)) out.fallbackAttribute = one(hashNames);
  if (chance(0.4)) out.hashVersion = one([1, 2, 2, 3]);
  if (chance(0.3)) out.seed = one(['s1', 's2', '']);
}

function filter() {
  const out = {seed: one(['f1', 'f2']), ranges: [ends(), ends()]};
  if (chance(0.3)) out.attribute = one(hashNames);
  if (chance(0.3)) out.hashVersion = one([1, 2]);
  return out;
}

function parents(names) {
  const one_ = () => {
    const out = {id: one([...names, 'unknown']), condition: parentCondition()};
    if (chance(0.3)) out.gate = chance(0.8);
    return out;
  };
  return chance(0.3) ? [one_(), one_()] : [one_()];
}

// What an experiment, or an experiment's rule, has.
function experimentFields(names) {
  const variations = Array.from({length: 1 + below(4)}, () => one(values));
  const out = {variations};
  const k = variations.length;
  hashFields(out);
  if (chance(0.4)) {
    out.weights = chance(0.8) ? Array.from({length: k}, () => 1 / k) :
      one([[0.5, 0.4], [0.2, 0.8], [1], [], [0.3, 0.3, 0.4]]);
  }
  if (chance(0.4)) out.coverage = one([0, 0.1, 0.5, 0.9, 1, 1.5, -1]);
  if (chance(0.2)) out.ranges = Array.from({length: k}, ends);
  if (chance(0.2)) out.namespace = ['ns', ...ends()];
  if (chance(0.2)) out.filters = [filter()];
  if (chance(0.3)) out.condition = condition();
  if (chance(0.5)) {
    out.meta = variations.slice(0, chance(0.8) ? k : 1).map((_, i) => {
      const meta = {};
      if (chance(0.8)) meta.key = `v${i}`;
      if (chance(0.3)) meta.name = `variation ${i}`;
      if (chance(0.1)) meta.passthrough = true;
      return meta;
    });
  }
  if (chance(0.2)) out.name = 'an experiment';
  if (chance(0.2)) out.phase = '1';
  if (chance(0.2)) out.bucketVersion = below(3);
  if (chance(0.15)) out.minBucketVersion = below(3);
  if (chance(0.1)) out.disableStickyBucketing = true;
  if (chance(0.2)) out.parentConditions = parents(names);
  return out;
}

function rule(names, bandits) {
  let out;
  if (chance(0.4)) {
    out = {force: one(values)};
    hashFields(out);
    if (chance(0.4)) out.condition = condition();
    if (chance(0.3)) out.coverage = one([0, 0.2, 0.5, 1]);
    if (chance(0.3)) out.range = ends();
    if (chance(0.2)) out.filters = [filter()];
    if (chance(0.2)) out.parentConditions = parents(names);
  } else if (chance(0.05)) {
    out = {parentConditions: parents(names)};
  } else {
    out = experimentFields(names);
    if (chance(0.4)) out.key = one(['exp-a', 'exp-b']);
    if (bandits && chance(0.5)) {
      out.contextualBanditRef = one(['cb1', 'cb2']);
      if (chance(0.5)) {
        out.contextualVariations = out.variations;
        delete out.variations;
      }
    }
  }
  if (chance(0.5)) out.id = `r${below(5)}`;
  return out;
}

function bandit() {
  const out = {};
  if (chance(0.7)) out.banditVersion = below(4);
  if (chance(0.9)) {
    out.contexts = Array.from({length: below(4)}, (_, i) => ({
      leafId: i, condition: condition(),
      weights: one([[0.1, 0.9], [0.5, 0.5], [0.2, 0.3, 0.5], [0.9, 0.1]])}));
  }
  return out;
}

function context(bandits) {
  const names = ['f1', 'f2', 'f3', 'f4'];
  const features = {};
  for (const name of some(names)) {
    const feature = {};
    if (chance(0.9)) feature.defaultValue = one(values);
    if (chance(0.9)) {
      feature.rules = Array.from({length: 1 + below(3)}, () => rule(names, bandits));
    }
    features[name] = feature;
  }
  const out = {attributes: attributes(), features, savedGroups: {staff: ['u1', 42, 'u3']}};
  if (bandits) out.contextualBandits = {cb1: bandit()};
  if (chance(0.1)) out.enabled = false;
  if (chance(0.1)) out.qaMode = true;
  if (chance(0.2)) out.forcedVariations = {[one(['exp-a', 'f1'])]: below(5) - 1};
  if (chance(0.05)) out.url = `http://feed/?x=1&${one(['exp-a', 'f1'])}=${below(3)}#a`;
  return out;
}

const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

const keyOf = (doc) => `${doc.attributeName}||${doc.attributeValue}`;

class Documents extends StickyBucketService {
  constructor(documents) {
    super();
    this.documents = {};
    for (const doc of documents) this.documents[keyOf(doc)] = doc;
  }
  async getAssignments(name, value) { return this.documents[`${name}||${value}`] || null; }
  async saveAssignments(doc) { this.documents[keyOf(doc)] = doc; }
}

function document() {
  const assignments = {};
  for (const key of ['exp-a', 'exp-b', 'f1', 'f2']) {
    if (chance(0.5)) assignments[`${key}__${below(3)}`] = `v${below(4)}`;
  }
  const [attributeName, attributeValue] = one([['id', 'u1'], ['id', 'u2'], ['id', '42'],
    ['device', 'd1'], ['device', 'd2'], ['company', 'c1'], ['id', 'u3'], ['device', '7']]);
  return {attributeName, attributeValue, assignments};
}

// The reference throws at some of what is malformed; those are no cases.
async function add(section, make) {
  while (section.length < count) {
    try {
      section.push(await make(section.length));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

console.error = () => {};
const cases = {specVersion: '0.8.0', feature: [], run: [], stickyBucket: []};
await add(cases.feature, (i) => {
  const ctx = context(i % 3 === 0);
  const book = new GrowthBook(plain(ctx));
  const name = one(['f1', 'f2', 'f3', 'f4', 'unknown']);
  return [`feature ${i}`, ctx, name, plain(book.evalFeature(name))];
});
await add(cases.run, (i) => {
  const ctx = context(false);
  const experiment = {key: one(['exp-a', 'exp-b']), ...experimentFields(['f1', 'f2'])};
  if (chance(0.1)) experiment.force = below(4) - 1;
  if (chance(0.1)) experiment.active = chance(0.5);
  if (chance(0.1)) experiment.status = one(['draft', 'running', 'stopped']);
  const {value, inExperiment, hashUsed} = new GrowthBook(plain(ctx)).run(plain(experiment));
  return [`run ${i}`, ctx, experiment, plain(value), inExperiment, hashUsed];
});
await add(cases.stickyBucket, async (i) => {
  const ctx = context(false);
  const documents = Array.from({length: below(4)}, document);
  const service = new Documents(plain(documents));
  const book = new GrowthBook({...plain(ctx), stickyBucketService: service});
  await book.refreshStickyBuckets();
  const name = one(['f1', 'f2', 'f3', 'f4']);
  const result = book.evalFeature(name).experimentResult;
  return [`sticky ${i}`, ctx, documents, name, plain(result),
    plain(book.getStickyBucketAssignmentDocs())];
});
const sections = Object.entries(cases).map(([name, section]) => typeof section === 'string' ?
  `${JSON.stringify(name)}: ${JSON.stringify(section)}` :
  `${JSON.stringify(name)}: [\n${section.map((each) => JSON.stringify(each)).join(',\n')}\n]`);
console.log(`{${sections.join(',\n')}}`);
