// The creator's page in a real browser. With SHANHUO_URL it is tested against that running engine
// (SHANHUO_TOKEN: an admin's, empty without tokens; SHANHUO_CREATOR: an existing creator instead of
// a new one); without it, against fake_engine.mjs in every state that the page has. Needs web/dist
// (npm run build) and Chromium (CHROMIUM, default /usr/bin/chromium). SCREENSHOTS=DIR keeps
// pictures. Prints "N passed, N failed"; exit code 1 when anything failed.
import { runTests } from './browser.mjs';
import { liveTests } from './creator_page_live.mjs';
import { closeFake, fakeTests, freshFake } from './creator_page_states.mjs';

const live = Boolean(process.env.SHANHUO_URL);
if (live) liveTests();
else fakeTests();
process.exitCode = await runTests(live ? () => {} : freshFake);
closeFake();
