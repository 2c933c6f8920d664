// The impact page in a real browser. With SHANHUO_URL it is tested against that running engine,
// which has no tokens; without it, against fake_impact.mjs in every state that the page has.
// Otherwise as creator_page_test.mjs.
import { runTests } from './browser.mjs';
import { impactLiveTests } from './impact_page_live.mjs';
import { closeFake, freshFake, impactTests } from './impact_page_states.mjs';

const live = Boolean(process.env.SHANHUO_URL);
if (live) impactLiveTests();
else impactTests();
process.exitCode = await runTests(live ? () => {} : freshFake);
closeFake();
