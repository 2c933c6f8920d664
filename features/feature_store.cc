#include "features/feature_store.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "features/decay.h"

namespace shanhuo {
namespace {

// An event is at most 24 h late, and the first one of its half hour up to half an hour older.
constexpr Millis kViewableWindow{86'400'000 + kExposureSlot.count()};
// A token's events have ts up to issue + 24 h, and from issue - 24 h on: clocks are off, and it
// comes at most 24 h late. So 72 h of event time after its first event it cannot come again.
constexpr Millis kTokenWindow{3 * 86'400'000};

bool looks_viewable(const Interaction& event, const CatalogueItem* item) {
  if (event.type == EventType::kPlay) return event.watch_ms >= kViewablePlayMs;
  if (event.type != EventType::kImpression) return false;
  const bool video = item != nullptr && (item->item.kind == ItemKind::kVideo ||
                                         item->item.kind == ItemKind::kScenicVideo);
  return event.viewable_ms >= (video ? kViewableVideoMs : kViewableCardMs);
}

// Where a viewable exposure counts once, for each program or none.
uint64_t exposure_place(const Interaction& event, uint64_t user_hash, uint64_t item_hash) {
  const auto slot = static_cast<uint64_t>(window_of(event.ts, kExposureSlot));
  return hash_combine(hash_combine(user_hash, item_hash), slot);
}

Counts counts_of(const Counted& counted, Fen income) {
  const Interaction& event = counted.event;
  const auto one_if = [](bool condition) { return condition ? int64_t{1} : int64_t{0}; };
  const bool boosted = counted.token != nullptr, order = event.type == EventType::kOrder;
  return {.served = one_if(counted.served),
          .viewable = one_if(counted.viewable),
          .clicks = one_if(event.type == EventType::kClick),
          .plays = one_if(event.type == EventType::kPlay),
          .watch_ms = std::max<int64_t>(0, event.watch_ms),
          .likes = one_if(event.type == EventType::kLike),
          .orders = one_if(order),
          .amount_fen = income.count(),
          .boosted_viewable = one_if(boosted && counted.viewable),
          .boosted_orders = one_if(boosted && order)};
}

Contribution contribution_of(const Counted& counted) {
  Contribution contribution{.type = counted.event.type,
                            .surface = counted.event.surface,
                            .item = counted.item,
                            .ts = counted.event.ts,
                            .watch_ms = counted.counts.watch_ms,
                            .viewable = counted.viewable,
                            .boosted = counted.token != nullptr,
                            .program_viewable = counted.program_viewable};
  if (counted.token != nullptr) {
    contribution.programs = counted.token->programs;
    contribution.variations = counted.token->variations;
  }
  return contribution;
}

TrialCounts trial_counts_of(const Counts& counts, EventType type, bool boosted) {
  constexpr int64_t kMost = INT32_MAX;
  TrialCounts trial{};
  const auto set = [&](TrialCount count, int64_t n) {
    trial[static_cast<size_t>(count)] = static_cast<int32_t>(std::clamp(n, -kMost, kMost));
  };
  set(TrialCount::kImpressions, counts.served);
  set(TrialCount::kViewable, counts.viewable);
  set(TrialCount::kOrganicImpressions, boosted ? 0 : counts.served);
  set(TrialCount::kOrganicClicks, boosted ? 0 : counts.clicks);
  set(TrialCount::kClicks, counts.clicks);
  set(TrialCount::kPlays, counts.plays);
  set(TrialCount::kWatchMs, counts.watch_ms);
  set(TrialCount::kLikes, counts.likes);
  set(TrialCount::kDislikes, type == EventType::kDislike ? 1 : 0);
  set(TrialCount::kOrders, counts.orders);
  set(TrialCount::kAmountFen, counts.amount_fen);
  set(TrialCount::kRefunds, type == EventType::kRefund ? 1 : 0);
  set(TrialCount::kBoostedViewable, counts.boosted_viewable);
  set(TrialCount::kBoostedOrders, counts.boosted_orders);
  return trial;
}

// The fold's thread alone writes the counters: no locked instruction is needed, and one would wait
// for every store before it.
void count_one(std::atomic<uint64_t>* counter) {
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

FeatureStore::FeatureStore(const FeatureStoreOptions& options, Interner& interner,
                           const CatalogueState& catalogue, const Published<TokenKeys>& keys)
    : options_(options),
      interner_(interner),
      catalogue_(catalogue),
      keys_(keys),
      viewers_(options.viewers),
      frequency_(options.frequency),
      items_(options.items, interner),
      exposure_(options.exposure, interner),
      ledger_(options.ledger, interner),
      programs_(options.programs),
      experiments_(options.experiments),
      parts_{&viewers_, &frequency_, &items_, &exposure_, &ledger_, &programs_, &experiments_} {
  for (uint32_t partition = 0; partition < options.partitions; ++partition) {
    const std::string number = std::to_string(partition);
    viewable_.push_back(std::make_unique<Deduplicator>(
        "view" + number,
        DedupOptions{.entries_max = options.viewable_entries_max, .window = kViewableWindow}));
    tokens_.push_back(std::make_unique<Deduplicator>(
        "token" + number,
        DedupOptions{.entries_max = options.token_entries_max, .window = kTokenWindow}));
    parts_.push_back(viewable_.back().get());
    parts_.push_back(tokens_.back().get());
    invalid_.push_back(std::make_unique<InvalidTraffic>(partition, options.invalid));
    parts_.push_back(invalid_.back().get());
  }
}

// Finding a place in memory takes a chain of lookups, each of which misses. So each event goes
// through four steps, three events apart: what one step asked for has arrived when the next needs
// it.
void FeatureStore::expect(const Interaction& event, uint32_t partition) {
  ++expected_count_;
  const auto before = [&](size_t events) -> Expected& {
    return expected_[(expected_count_ - events) % kExpected];
  };
  Expected& first = before(0);
  first = {.user_hash = hash64(event.user_id),
           .item_hash = hash64(event.item_id),
           .ts = event.ts,
           .interest = event.type != EventType::kImpression};
  viewers_.expect(first.user_hash);
  interner_.prefetch(first.item_hash);
  if (looks_viewable(event, nullptr)) {
    const uint64_t place = exposure_place(event, first.user_hash, first.item_hash);
    viewable_[partition]->prefetch(hash_combine(place, 0));
  }

  Expected& second = before(3);
  second.item = interner_.likely(second.item_hash);
  if (second.item < options_.items.items_max) {
    items_.prefetch(second.item);
    catalogue_.prefetch(second.item);
    exposure_.prefetch_index(second.item);
  }
  const Expected& third = before(6);
  if (third.item < options_.items.items_max) {
    catalogue_.prefetch_item(third.item, third.interest);
    exposure_.prefetch_record(third.item, third.ts);
  }
  const Expected& fourth = before(9);
  if (fourth.item < options_.items.items_max) {
    exposure_.prefetch_viewers(fourth.item, fourth.ts, fourth.user_hash);
  }
}

DeadReason FeatureStore::apply(const Interaction& event, const FoldContext& context) {
  CHECK(context.partition < options_.partitions);
  const uint64_t user_hash = hash64(event.user_id);
  VerifiedToken verified;
  if (!event.token.empty()) {
    verified = keys_.get()->verify(event.token, event.user_id, event.item_id, event.request_id,
                                   event.ts, event.type);
    if (verified.verdict == TokenVerdict::kBad) {
      count_one(&bad_tokens_);
      return "bad_token";
    }
    if (verified.verdict == TokenVerdict::kExpired) count_one(&token_expired_);
  }
  const ItemIndex item = interner_.intern(event.item_id);
  if (item >= options_.items.items_max) return "items_full";  // kNoItem too

  const bool money = event.type == EventType::kOrder || event.type == EventType::kRefund;
  const Fen income = money ? ledger_.apply(event, item) : Fen(0);
  if (money && giving_ != nullptr) give_money(event, item, context.late);
  if (context.late) {
    count_one(&late_);
    return {};
  }
  if (judged_invalid(event, context, item, user_hash) && !money) return {};
  Counted counted{.event = event,
                  .context = context,
                  .item = item,
                  .known = catalogue_.at(item),
                  .token = verified.verdict == TokenVerdict::kValid ? &verified.token : nullptr,
                  .served = event.type == EventType::kImpression};
  if (looks_viewable(event, counted.known)) decide_viewable(&counted, user_hash);
  counted.counts = counts_of(counted, income);
  add_everywhere(counted, user_hash);
  if (options_.invalid.watches() && !money) {
    invalid_[context.partition]->remember(contribution_of(counted));
  }
  if (giving_ != nullptr && event.type == EventType::kDeed) giving_->deed(event);
  for (FoldObserver* observer : observers_) observer->observe(counted);
  return {};
}

void FeatureStore::give_money(const Interaction& event, ItemIndex item, bool late) {
  giving_->money(event, catalogue_.at(item), ledger_.last_change(), ledger_.find(event.order_id),
                 !late);
}

void FeatureStore::control(std::string_view key, std::string_view value, Millis watermark) {
  if (giving_ != nullptr) giving_->control(key, value, watermark);
}

Result<StateRoom> FeatureStore::make_room() {
  Result<StateRoom> room = viewers_.make_room();
  const bool crowded = giving_ != nullptr && giving_->crowded();
  return room.ok() && crowded ? StateRoom::kCheckpointFirst : room;
}

bool FeatureStore::judged_invalid(const Interaction& event, const FoldContext& context,
                                  ItemIndex item, uint64_t user_hash) {
  const InvalidTraffic::Verdict verdict =
      invalid_[context.partition]->judge(event, catalogue_.at(item), user_hash, context.watermark);
  for (const Contribution& each : verdict.taken_back) take_back(each, user_hash);
  if (verdict.reason == InvalidReason::kNone) return false;
  const bool money = event.type == EventType::kOrder || event.type == EventType::kRefund;
  count_one(money ? &orders_flagged_ : &invalid_events_[static_cast<size_t>(verdict.reason)]);
  return true;
}

void FeatureStore::take_back(const Contribution& contribution, uint64_t user_hash) {
  count_one(&taken_back_);
  ExposureToken token;
  token.programs = contribution.programs;
  token.variations = contribution.variations;
  const Counts counts = contribution.counts();
  items_.subtract(contribution.item, contribution.ts, counts);
  const bool whole = exposure_.subtract({.item = contribution.item,
                                         .ts = contribution.ts,
                                         .surface = contribution.surface,
                                         .user_hash = user_hash,
                                         .counts = counts,
                                         .token = contribution.boosted ? &token : nullptr,
                                         .program_viewable = contribution.program_viewable});
  if (!whole) count_one(&taken_back_partly_);
  for (size_t i = 0; i < token.programs.size() && token.programs[i] != 0; ++i) {
    const ProgramCounts taken{.viewable = contribution.program_viewable[i] ? -1 : 0,
                              .clicks = -counts.clicks};
    if (taken != ProgramCounts{}) programs_.add(token.programs[i], contribution.ts, taken);
  }
  if (experiments_.knows(user_hash)) {
    TrialCounts trial = trial_counts_of(counts, contribution.type, contribution.boosted);
    for (int32_t& count : trial) count = -count;
    experiments_.add(user_hash, contribution.ts, trial);
  }
  for (FoldObserver* observer : observers_) observer->take_back(contribution);
}

void FeatureStore::decide_viewable(Counted* counted, uint64_t user_hash) {
  const Interaction& event = counted->event;
  const FoldContext& context = counted->context;
  const ExposureToken* token = counted->token;
  if (token != nullptr) {
    const uint64_t once = token->room ? hash_combine(token->identity, user_hash) : token->identity;
    if (!tokens_[context.partition]->insert(once, event.ts, context.watermark)) {
      return count_one(&viewable_repeated_);
    }
  }
  const uint64_t place = exposure_place(event, user_hash, hash64(event.item_id));
  const auto is_new = [&](uint32_t program) {
    return viewable_[context.partition]->insert(hash_combine(place, program), event.ts,
                                                context.watermark);
  };
  if (token == nullptr || token->programs[0] == 0) {
    counted->viewable = is_new(0);
  } else {
    for (size_t i = 0; i < token->programs.size() && token->programs[i] != 0; ++i) {
      counted->program_viewable[i] = is_new(token->programs[i]);
      counted->viewable = counted->viewable || counted->program_viewable[i];
    }
  }
  if (!counted->viewable) count_one(&viewable_repeated_);
}

void FeatureStore::add_everywhere(const Counted& counted, uint64_t user_hash) {
  const Interaction& event = counted.event;
  count_one(&applied_[static_cast<size_t>(event.type)]);
  if (counted.known == nullptr) count_one(&unknown_items_);
  watermark_ = std::max({watermark_, counted.context.watermark, event.ts});
  items_.pass(watermark_);
  viewers_.update(event.user_id, user_hash, [&](PackedProfile& profile) {
    apply_to_profile(profile, event, counted.item, counted.known, options_.profile);
  });
  if (counted.counts != Counts{}) {
    items_.add(counted.item, event.ts, watermark_, counted.counts);
    exposure_.add({.item = counted.item,
                   .ts = event.ts,
                   .surface = event.surface,
                   .user_hash = user_hash,
                   .counts = counted.counts,
                   .token = counted.token,
                   .program_viewable = counted.program_viewable},
                  watermark_);
    if (counted.token != nullptr) add_programs(counted);
  }
  if (experiments_.knows(user_hash)) {
    experiments_.add(user_hash, event.ts,
                     trial_counts_of(counted.counts, event.type, counted.token != nullptr));
  }
  const int64_t minute = window_of(watermark_, kMinute);
  if (minute == swept_minute_) return;
  swept_minute_ = minute;
  frequency_.sweep(watermark_);
  if (giving_ != nullptr) giving_->pass(watermark_);
}

void FeatureStore::add_programs(const Counted& counted) {
  const auto& programs = counted.token->programs;
  for (size_t i = 0; i < programs.size() && programs[i] != 0; ++i) {
    const ProgramCounts counts{.viewable = counted.program_viewable[i] ? 1 : 0,
                               .clicks = counted.counts.clicks,
                               .orders = counted.counts.orders};
    if (counts != ProgramCounts{}) programs_.add(programs[i], counted.event.ts, counts);
  }
}

void FeatureStore::forget(std::string_view user_id) {
  viewers_.erase(user_id);
  frequency_.forget(user_id);
  ledger_.forget(user_id);
  if (giving_ != nullptr) giving_->forget(user_id);
  for (const auto& invalid : invalid_) invalid->forget(hash64(user_id));
  experiments_.forget(hash64(user_id));
}

// What the viewer did before is the profile's word: no counter of its own is needed for those who
// are in no experiment.
void FeatureStore::expose(std::string_view user_id, std::string_view exposure) {
  const std::optional<ExperimentExposure> met = decode_exposure(exposure);
  if (!met) return count_one(&bad_exposures_);
  experiments_.expose(hash64(user_id), *met, [&] {
    const ViewerState before = viewer(user_id);
    const auto decay =
        static_cast<float>(half_life_decay(met->at - before.last_event, kViewerRateHalfLife));
    return ViewerRates{before.rates.impressions * decay, before.rates.clicks * decay,
                       before.rates.orders * decay};
  });
}

void FeatureStore::begin_checkpoint(StateWriter& writer) {
  for (Checkpointed* part : parts_) part->begin_checkpoint(writer);
  checkpoint_part_ = 0;
}

bool FeatureStore::checkpoint_step(size_t records_max) {
  for (; checkpoint_part_ < parts_.size(); ++checkpoint_part_) {
    if (!parts_[checkpoint_part_]->checkpoint_step(records_max)) return false;
  }
  return true;
}

Status FeatureStore::restore(const StateReader& reader) {
  for (Checkpointed* part : parts_) {
    if (Status status = part->restore(reader); !status.ok()) return status;
  }
  watermark_ = items_.watermark();
  return {};
}

}  // namespace shanhuo
