// Whether a program asks for this page, and whether an item may be inserted into it now. Each check
// returns the first reason against it, in the order of the checks below, or kNone.
//
// Programs: blocked, running, surface, audience (of a pair, if it has pairs), area, cap reached.
// Items: there, blocked, available and in stock, in season; then for each of its programs whether
// it is of the viewer's pair, has not left by `until`, and the frequency caps of that program. An
// item that belongs to several programs asking for the page may be inserted for those that it may;
// but where a goal's cap is reached in any of them, for none.
// Limits of programs that ask for this page hold for all that are not urgent (program.h).
//
// Programs are judged once per request, on first use. One thread, borrowed arguments.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "features/viewer.h"
#include "ranking/attributes.h"
#include "ranking/cause.h"
#include "ranking/graduates.h"
#include "ranking/prices.h"
#include "ranking/request.h"
#include "ranking/world.h"

namespace shanhuo {

// The radius of an area at `now`: between two corners of radius_km linearly, before the first and
// after the last one constant. Requires: radius_km is not empty.
double area_radius_km(const Area& area, Millis start, Millis now);

// What an item may do on this page.
struct EligibleItem {
  int program_count = 0;  // programs that may name it, best first; 0: it must not be inserted
  std::array<ProgramIndex, kProgramsPerItemMax> programs{};
  Cause first = Cause::kNone;  // the first reason when there is none
  bool capped = false;         // a goal's cap is reached in one of its programs
  // What is left of the frequency caps of those programs: inserted items of its county, of its
  // creator and in all that this page may have, this one included. kUnlimited: no cap.
  int county_left = 0, creator_left = 0, page_left = 0;
};

class Eligibility {
 public:
  static constexpr int kUnlimited = 1'000'000;

  // Starts over for a request. `prices` of another set are ignored. `insertions` are counted in
  // sliding windows of engine time that end at request.now. `graduates` may be nullptr: none.
  void begin(const RankRequest& request, const ViewerState& viewer, const Insertions& insertions,
             const World& world, const PriceTable& prices, const Graduates* graduates = nullptr);

  // Why the program does not ask for this page.
  Cause program(ProgramIndex index);
  // Why the item cannot be inserted for any program: availability, stock, season, blocks.
  Cause item(ItemIndex index) const;
  // Everything together, for the item's programs among which `wanted` says yes.
  template <typename Wanted>
  EligibleItem check(ItemIndex index, Wanted&& wanted) {
    EligibleItem result = start(index);
    for (int k = 0; k < listing_->program_count; ++k) {
      if (wanted(listing_->programs[k])) add(listing_->programs[k], result);
    }
    return result;
  }
  EligibleItem check(ItemIndex index) {
    return check(index, [](ProgramIndex) { return true; });
  }

  // Per program: items that this page may name it on, by frequency caps and the goals' hard caps,
  // and without / with per_request_max. Valid for programs that check() found eligible.
  std::span<const int> program_left() const { return program_left_; }
  std::span<const int> program_max() const { return program_max_; }

  // What this viewer must click with at least, for the item not to be kept out by limits.
  double p_click_min(const EligibleItem& item) const {
    return urgent(item) ? 0 : limits_p_click_min_;
  }

  // Programs whose items were checked and that ask for this page, ascending, each with its items'
  // best outcome: kNone when one of them may be inserted.
  std::vector<MissedProgram>& seen() { return seen_; }

 private:
  Cause judge(ProgramIndex index);
  Cause judge_audience(ProgramIndex index);
  void gather_limits();
  bool of_pair(ProgramIndex index) const;
  bool urgent(const EligibleItem& item) const;
  EligibleItem start(ItemIndex index);
  void add(ProgramIndex index, EligibleItem& result);
  Cause frequency(ProgramIndex index, EligibleItem& result);
  int count_seen(const FrequencyCap& cap, uint32_t program) const;
  void note(ProgramIndex index, Cause cause);

  const RankRequest* request_ = nullptr;
  const ViewerState* viewer_ = nullptr;
  const Insertions* insertions_ = nullptr;
  const World* world_ = nullptr;
  const PriceTable* prices_ = nullptr;  // nullptr: of another set
  ItemIndex item_ = kNoItem;            // being checked
  const Listing* listing_ = nullptr;    // its
  Cause current_cause_ = Cause::kNone;
  std::vector<uint8_t> judged_;    // per program: 0 not yet, else 1 + Cause
  std::vector<int> program_left_;  // set when judged kNone
  std::vector<int> program_max_;
  std::vector<int> all_left_;
  std::vector<uint64_t> pairs_;  // per program, when judged: the viewer's
  std::vector<MissedProgram> seen_;
  const Graduates* graduates_ = nullptr;
  int limits_page_ = kUnlimited;  // inserted items that limits leave this page, ...
  double limits_p_click_min_ = 0;
};

}  // namespace shanhuo
