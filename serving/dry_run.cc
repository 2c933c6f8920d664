#include "serving/dry_run.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "serving/rank_proto.h"

namespace shanhuo {
namespace {

constexpr size_t kBodyBytesMax = 64u << 20;

bool decode(const RecentRequest& recent, const RankLimits& limits, json::Document& document,
            RankProtoDecoder& decoder, RankCall& call) {
  json::FieldErrors errors;
  if (recent.format == RankFormat::kProtobuf) {
    return decoder.decode(recent.body, limits, call, errors).ok();
  }
  const Result<json::Value> body = document.parse(recent.body);
  return body.ok() && decode_rank_call(body.value(), limits, call, errors);
}

class Tally {
 public:
  void add(const Slate& slate, const ProgramSet& programs, int64_t ns) {
    for (const SlateItem& item : slate.items) {
      if (item.programs.empty()) continue;
      side_.inserted += 1;
      for (const int program : item.programs) {
        ++side_.by_program[std::string(programs.programs[static_cast<size_t>(program)]->id.view())];
      }
    }
    side_.loss_fen += slate.loss_fen;
    side_.organic_value_fen += slate.organic_value_fen;
    took_.push_back(ns);
  }

  DryRunSide finish() {
    const auto pages = static_cast<double>(took_.size());
    side_.inserted /= pages;
    side_.loss_fen /= pages;
    side_.organic_value_fen /= pages;
    std::sort(took_.begin(), took_.end());
    side_.p50_ms = 1e-6 * static_cast<double>(took_[took_.size() / 2]);
    side_.p99_ms = 1e-6 * static_cast<double>(took_[took_.size() * 99 / 100]);
    return std::move(side_);
  }

 private:
  DryRunSide side_;
  std::vector<int64_t> took_;
};

void compare(const Slate& before, const Slate& after, DryRunReport& report) {
  std::unordered_map<std::string_view, size_t> places;
  bool same = before.items.size() == after.items.size();
  for (size_t i = 0; i < after.items.size(); ++i) {
    same = same && before.items[i].item_id == after.items[i].item_id;
    if (after.items[i].programs.empty()) places.emplace(after.items[i].item_id, i);
  }
  if (same) return;
  report.changed += 1;
  for (size_t i = 0; i < before.items.size(); ++i) {
    if (!before.items[i].programs.empty()) continue;
    const auto found = places.find(before.items[i].item_id);
    if (found == places.end()) {
      report.left_out += 1;
    } else if (found->second != i) {
      report.moved += 1;
      report.moved_by += std::abs(static_cast<double>(found->second) - static_cast<double>(i));
    }
  }
}

}  // namespace

Result<DryRunReport> dry_run(const std::vector<std::shared_ptr<const RecentRequest>>& requests,
                             const RankSide& before, const RankSide& after,
                             const RankLimits& limits, Millis now, Ranker& ranker,
                             const DryRunLimits& bounds) {
  DryRunReport report;
  Tally tallies[2];
  const RankSide* sides[2] = {&before, &after};
  json::Document document({.bytes_max = kBodyBytesMax});
  RankProtoDecoder decoder;
  const int64_t end_ns = monotonic_ns() + bounds.time_max_ns;
  for (const auto& recent : requests) {
    if (monotonic_ns() > end_ns) {
      report.complete = false;
      break;
    }
    RankCall call;
    if (!decode(*recent, limits, document, decoder, call)) {
      ++report.unreadable;
      continue;
    }
    call.request.now = now;
    Slate slates[2];
    for (size_t turn = 0; turn < 2; ++turn) {
      const size_t side = (turn + report.requests) % 2;  // the second finds all in the cache
      const int64_t begin_ns = monotonic_ns();
      slates[side] = ranker.rank_aside(call, *sides[side]);
      tallies[side].add(slates[side], sides[side]->world->programs(), monotonic_ns() - begin_ns);
    }
    compare(slates[0], slates[1], report);
    report.oldest = report.requests == 0 ? recent->at : std::min(report.oldest, recent->at);
    report.newest = std::max(report.newest, recent->at);
    ++report.requests;
  }
  if (report.requests < bounds.requests_min) {
    return Error{ErrorCode::kConflict,
                 std::to_string(report.requests) + " requests of late are remembered, at least " +
                     std::to_string(bounds.requests_min) + " are needed; ask again later"};
  }
  const auto pages = static_cast<double>(report.requests);
  report.moved_by = report.moved > 0 ? report.moved_by / report.moved : 0;
  report.changed /= pages;
  report.moved /= pages;
  report.left_out /= pages;
  report.before = tallies[0].finish();
  report.after = tallies[1].finish();
  return report;
}

}  // namespace shanhuo
