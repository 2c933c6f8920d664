// What GrowthBook's own SDK makes of the payload that an engine publishes, for viewers one after
// the other: the recorded side of tests/configs_experiment_test.cc.
//
//   npm i @growthbook/growthbook && node tests/experiment_oracle.mjs PAYLOAD.json VIEWERS
//       > tests/data/experiment_payload_cases.ndjson     (PAYLOAD: GET /api/features/any)

import {readFileSync} from 'node:fs';
import {GrowthBook} from '@growthbook/growthbook';

const [file, count] = process.argv.slice(2);
const payload = JSON.parse(readFileSync(file, 'utf-8'));
const cases = [];
for (let i = 0; i < Number(count); ++i) {
  const attributes = {user_id: `viewer-${i}`, city: i % 3 === 0 ? 'Beijing' : 'Shanghai',
    tier: i % 2 === 0 ? 'light' : 'heavy'};
  if (i % 5 !== 0) attributes.device = Math.floor(i / 2);
  const book = new GrowthBook({attributes, features: payload.features});
  const values = Object.fromEntries(Object.keys(payload.features).map(
    (id) => [id, book.evalFeature(id).value]));
  cases.push({attributes, values});
}
console.log(JSON.stringify({version: '@growthbook/growthbook 1.8.0', features: payload.features}));
for (const each of cases) console.log(JSON.stringify(each));
