// What kept each program off a page that it asked for: one page, one program, one cause, found by
// asking what would have happened without it (contract 2.5). Internal to ranking/.
#pragma once

#include "ranking/page.h"

namespace shanhuo {

// Appends to slate.missed the programs that asked for this page and are not on it, ascending.
// Requires: the candidates, items and terms that made the slate.
void note_missed(const RankRequest& request, const PageTerms& terms, const RankContext& context,
                 RankScratch::Parts& parts, Slate& slate);

}  // namespace shanhuo
