// The operators' page in a real browser. With SHANHUO_URL it is tested against that running engine,
// which has no tokens and whose programs it switches off and on; without it, against
// fake_operator.mjs in every state that the page has. Otherwise as creator_page_test.mjs.
import { runTests } from './browser.mjs';
import { operatorLiveTests } from './operator_page_live.mjs';
import { closeOperator, freshOperator, operatorTests } from './operator_page_states.mjs';

const live = Boolean(process.env.SHANHUO_URL);
if (live) operatorLiveTests();
else operatorTests();
process.exitCode = await runTests(live ? () => {} : freshOperator);
closeOperator();
