#include "serving/engine.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "models/text_encoder.h"
#include "serving/observers.h"
#include "serving/terminal.h"
#include "streaming/codec.h"
#include "streaming/state_claim.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
constexpr int kTailShownMs = 200;

EngineTime make_time(const EngineOptions& options, const Clock& clock,
                     const std::unique_ptr<Pipeline>& pipeline) {
  return EngineTime(options.clock, clock,
                    [&pipeline] { return pipeline ? pipeline->watermark() : Millis(0); });
}

PriceControllerOptions price_options(const EngineOptions& options) {
  PriceControllerOptions prices = options.prices;
  prices.user_loss_budget = options.ranking.user_loss_budget;
  prices.explore_new_budget = options.ranking.explore_new_budget;
  // Other laws move their prices alone.
  if (options.price_law.kind != PriceLawKind::kRemainingGoal) prices.resolve.period = Millis(0);
  return prices;
}

// An engine that runs alone would begin beside the state that members have gone on with.
Status check_unclaimed(const EngineOptions& options) {
  if (options.state_folder != EngineOptions().state_folder) return {};
  const Result<NewestClaim> newest = newest_claim(options.data_dir);
  if (!newest.ok()) return newest.error();
  if (newest.value().epoch == 0) return {};
  const std::string folder = "state." + std::to_string(newest.value().epoch);
  return Error{ErrorCode::kInvalid,
               options.data_dir +
                   ": its state belongs to engines with kafka.members; set that, or "
                   "stop them all and rename " +
                   folder + " to state"};
}

}  // namespace

// Stands last among the restored parts: prices take over the programs once the delivered totals are
// there, and before the fold goes on, so that no delivery is missed or counted twice.
class Engine::SeedPrices final : public Checkpointed {
 public:
  explicit SeedPrices(Engine& engine) : engine_(engine) {}
  void begin_checkpoint(StateWriter&) override {}
  bool checkpoint_step(size_t) override { return true; }
  Status restore(const StateReader&) override {
    engine_.take_over_programs();
    return {};
  }

 private:
  Engine& engine_;
};

Engine::Engine(const EngineOptions& options, const std::string& config_dir, const Clock& clock)
    : options_(options),
      clock_(clock),
      time_(make_time(options_, clock, pipeline_)),
      models_(options_.models.dir.empty() ? options_.data_dir + "/models" : options_.models.dir,
              {static_cast<size_t>(options_.models.items_max)}),
      catalogue_(interner_, [this](const Item& item) { return encode_item(item, options_.text); }),
      programs_(config_dir + "/programs"),
      metric_files_(config_dir + "/metrics"),
      experiments_(
          config_dir + "/experiments", [this] { return *ranking_.get(); },
          [this] { return metric_files_.current(); }),
      imported_(config_dir + "/payload.json", [this] { return *ranking_.get(); }),
      boosting_(config_dir + "/boosting.yaml"),
      giving_rules_(config_dir + "/giving"),
      prices_(price_options(options_), make_price_law(options_.price_law)),
      calibration_(options_.calibration),
      values_(options_.value, options_.value_second,
              Millis(options_.value_frozen_every_h * kHour.count())),
      retriever_(options_.retrieval),
      ranking_(std::make_shared<const RankingOptions>(options_.ranking)),
      world_(build_world(catalogue_.snapshot(), programs_.current())),
      totals_(options_.features.items.items_max, interner_),
      segments_(options_.segments),
      graduates_(std::make_shared<const Graduates>()),
      keys_(nullptr) {
  catalogue_.set_codec({encode_catalogue_change, decode_catalogue_change});
}

Engine::~Engine() { stop(); }

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options,
                                             const std::string& config_dir, const Clock& clock,
                                             CheckpointStore::Fence fence) {
  std::unique_ptr<Engine> engine(new Engine(options, config_dir, clock));
  for (ConfigStore* store : {static_cast<ConfigStore*>(&engine->programs_),
                             static_cast<ConfigStore*>(&engine->giving_rules_)}) {
    store->reload();
    if (!store->errors().empty()) return Error{ErrorCode::kInvalid, joined(store->errors())};
  }
  if (const Status status = engine->open_parts(std::move(fence)); !status.ok())
    return status.error();
  if (const Status status = engine->start(); !status.ok()) return status.error();
  engine->publish_giving();
  return engine;
}

Status Engine::open_parts(CheckpointStore::Fence fence) {
  const std::string& dir = options_.data_dir;
  const Status unclaimed = check_unclaimed(options_);
  if (!unclaimed.ok()) return unclaimed;
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return Error{ErrorCode::kIo, dir + ": " + error.message()};

  Result<TokenKeys> keys = TokenKeys::load(dir + "/token.keys");
  if (!keys.ok()) return keys.error();
  keys_.set(std::make_shared<const TokenKeys>(std::move(keys).value()));
  if (const Status made = make_giving(); !made.ok()) return made;

  Result<OpenedLog> log = open_engine_log(options_, clock_);
  if (!log.ok()) return log.error();
  log_ = std::move(log).value();

  StoreOptions store;
  store.block_cache_bytes = static_cast<size_t>(options_.checkpoint_cache_mib) << 20;
  const std::string state = dir + "/" + options_.state_folder;
  auto checkpoints = CheckpointStore::open(state, store);
  if (!checkpoints.ok()) return checkpoints.error().within(state);
  checkpoints_ = std::move(checkpoints).value();
  checkpoints_->set_fence(std::move(fence));

  auto decisions = DecisionBook::open(dir + "/" + options_.counter_file, *log_, {});
  if (!decisions.ok()) return decisions.error();
  decisions_ = std::move(decisions).value();
  exposures_ = std::make_unique<ExposureBook>(*log_.log, metrics_);

  auto changes = ChangeBook::open(dir + "/changes.ndjson", {});
  if (!changes.ok()) return changes.error();
  changes_ = std::move(changes).value();
  auto reads = ChangeBook::open(dir + "/reads.ndjson", {});
  if (!reads.ok()) return reads.error();
  reads_ = std::move(reads).value();
  auto revisions = RevisionBook::open(dir + "/revisions");
  if (!revisions.ok()) return revisions.error();
  revisions_ = std::move(revisions).value();
  note_files(programs_, {});
  reload_experiments();
  // Broken ones do not keep it from starting: its pages say that they go without.
  if (!experiments_.errors().empty()) experiments_.go_without();
  return {};
}

// Each partition of interactions has memories of its own, and its share of their budgets.
Status Engine::make_features() {
  const uint32_t partitions = log_->partitions(Topic::kInteractions);
  FeatureStoreOptions features = options_.features;
  features.partitions = partitions;
  features.viewable_entries_max /= partitions;
  features.token_entries_max /= partitions;
  features_ = std::make_unique<FeatureStore>(features, interner_, catalogue_, keys_);
  features_->set_giving(giving_.get());
  DedupOptions dedup = options_.dedup;
  dedup.entries_max /= partitions;
  for (uint32_t p = 0; p < partitions; ++p) {
    const std::string name = partitions == 1 ? "ev" : "ev" + std::to_string(p);
    dedup_.push_back(std::make_unique<Deduplicator>(name, dedup));
  }
  return open_watch();  // reads what the features count
}

void Engine::make_ranker() {
  ranker_ = std::make_unique<Ranker>(RankerParts{options_,
                                                 ranking_,
                                                 time_,
                                                 interner_,
                                                 *features_,
                                                 world_,
                                                 graduates_,
                                                 keys_,
                                                 retriever_,
                                                 prices_,
                                                 calibration_,
                                                 *decisions_,
                                                 metrics_,
                                                 requests_,
                                                 experiments_.published(),
                                                 imported_.published(),
                                                 *exposures_,
                                                 values_.models(),
                                                 &boosting_,
                                                 &meters_});
}

Status Engine::start() {
  if (Status made = make_features(); !made.ok()) return made;
  features_->keep_cold_in(checkpoints_->store());
  make_ranker();
  observers_.push_back(std::make_unique<PriceObserver>(prices_));
  observers_.push_back(std::make_unique<TotalsObserver>(totals_));
  observers_.push_back(std::make_unique<SegmentObserver>(segments_));
  observers_.push_back(std::make_unique<LabelObserver>(ranker_->slates(), calibration_));
  if (values_.enabled()) {
    observers_.push_back(
        std::make_unique<ValueObserver>(*features_, values_, Millis(options_.value.long_watch_ms),
                                        static_cast<float>(options_.ranking.short_term_weight)));
  }
  for (const auto& observer : observers_) features_->add_observer(observer.get());
  seed_prices_ = std::make_unique<SeedPrices>(*this);

  PipelineParts parts;
  parts.log = log_.log.get();
  parts.checkpoints = checkpoints_.get();
  parts.machine = features_.get();
  parts.apply_catalogue = [this](const CatalogueChange& change) {
    return catalogue_.apply(change);
  };
  parts.publish = [this] { catalogue_.publish(); };
  parts.checkpointed = {&interner_, &catalogue_};
  for (const auto& dedup : dedup_) {
    parts.dedup.push_back(dedup.get());
    parts.checkpointed.push_back(dedup.get());
  }
  parts.checkpointed.insert(parts.checkpointed.end(),
                            {features_.get(), giving_.get(), &totals_, &segments_, &calibration_,
                             &prices_, decisions_.get(), seed_prices_.get()});
  if (values_.enabled()) parts.checkpointed.push_back(&values_);
  parts.clock = &clock_;
  PipelineOptions stream = options_.stream;
  stream.caller_clock = time_.by_caller();
  stream.partitions = log_->partitions(Topic::kInteractions);
  stream.items_partitions = log_->partitions(Topic::kItems);
  stream.begin_at_first = log_.kafka != nullptr;
  pipeline_ = std::make_unique<Pipeline>(parts, stream);
  if (const Status status = pipeline_->start(); !status.ok()) return status;
  fold_tail();
  const Status replayed = decisions_->replay(
      [this](const Decision& decision) {
        if (time_.by_caller()) time_.advance(decision.at);
        ranker_->restore(decision);
      },
      [this](std::string_view user_id) { ranker_->forget(user_id); });
  if (!replayed.ok()) return replayed;
  metrics_.decisions_lost.add(decisions_->lost());
  load_model();
  refresh_world();
  graduates_.set(find_graduates(*world_.get(), totals_));
  upkeep_thread_ = std::thread([this] { upkeep(); });
  index_thread_ = std::thread([this] { build_indexes(); });
  return {};
}

// What is in the log already is visible before the first answer, and the items that decisions name
// are known before these are read. A fold that stops amid it ends the wait; ready() says why. Who
// waits for much of it (a restart over a backlog, a rebuild) sees how far it is.
void Engine::fold_tail() {
  Progress progress("log", "records");
  const auto behind = static_cast<double>(std::max<int64_t>(pipeline_->stats().lag_records, 1));
  bool shown = false;
  for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
    for (uint32_t partition = 0; partition < log_->partitions(topic); ++partition) {
      const int64_t end = log_->end_offset(topic, partition);
      if (end == 0) continue;
      while (!pipeline_->wait_applied(topic, partition, end - 1, kTailShownMs)) {
        const PipelineStats stats = pipeline_->stats();
        if (!stats.running) return;
        const double folded = std::max(behind - static_cast<double>(stats.lag_records), 0.0);
        progress.update(folded / behind, static_cast<uint64_t>(folded));
        shown = true;
      }
    }
  }
  if (shown) progress.update(1, static_cast<uint64_t>(behind));
}

void Engine::end_upkeep() {
  {
    const std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_signal_.notify_all();
  if (upkeep_thread_.joinable()) upkeep_thread_.join();
  if (index_thread_.joinable()) index_thread_.join();
}

void Engine::drop() {
  end_upkeep();
  if (!pipeline_) return;
  pipeline_->halt();
  log_->settle();
}

void Engine::stop() {
  end_upkeep();
  if (pipeline_) {
    if (const Status status = pipeline_->stop(); !status.ok()) {
      std::fprintf(stderr, "stop: %s\n", status.error().message.c_str());
    }
    log_->settle();
  }
}

void Engine::set_ranking(const RankingOptions& options) {
  ranking_.set(std::make_shared<const RankingOptions>(options));
}

bool Engine::ready(std::string& why) const {
  const PipelineStats stats = pipeline_->stats();
  const Status reachable = log_->reachable();
  if (!reachable.ok()) {
    why = "the log cannot be reached: " + reachable.error().message;
  } else if (!stats.failure.empty()) {
    why = "the fold stopped: " + stats.failure;
  } else if (!stats.running) {
    why = "the fold is not running";
  } else if (indexed_.get() == nullptr) {
    why = "the vector index is being built";
  } else {
    why.clear();
  }
  return why.empty();
}

void Engine::sync_metrics() {
  const std::lock_guard lock(metrics_mutex_);
  const PipelineStats now = pipeline_->stats();
  metrics_.events_applied.add(now.applied - synced_.applied);
  metrics_.events_duplicate.add(now.duplicate - synced_.duplicate);
  metrics_.events_late.add(now.late - synced_.late);
  metrics_.events_dead.add(now.dead - synced_.dead);
  for (const auto& [reason, count] : now.dead_by_reason) {
    const auto before = synced_.dead_by_reason.find(reason);
    metrics_.dead_letters.at(reason).add(
        count - (before == synced_.dead_by_reason.end() ? 0 : before->second));
  }
  for (size_t i = 0; i < now.freshness_ms.size(); ++i) {
    metrics_.freshness.observe_many(1e-3 * kFreshnessMs[i],
                                    now.freshness_ms[i] - synced_.freshness_ms[i]);
  }
  const FeatureStoreStats features = features_->stats();
  metrics_.token_expired.add(features.token_expired - metrics_.token_expired.value());
  metrics_.taken_back.add(features.taken_back - metrics_.taken_back.value());
  metrics_.experiment_left_out.add(features_->experiments().left_out() -
                                   metrics_.experiment_left_out.value());
  for (size_t i = 1; i < features.invalid.size(); ++i) {
    Counter& counter =
        metrics_.invalid_events.at(invalid_reason_name(static_cast<InvalidReason>(i)));
    counter.add(features.invalid[i] - counter.value());
  }
  metrics_.stream_lag_records.set(static_cast<double>(now.lag_records));
  metrics_.boosting_off.set(boosting_.enabled() ? 0 : 1);
  metrics_.user_loss_ratio.set(prices_.user_loss_ratio());
  metrics_.decisions_queued.set(static_cast<double>(decisions_->queued()));
  const std::shared_ptr<const World> indexed = indexed_.get();
  const bool current = indexed != nullptr && &indexed->catalogue() == catalogue_.snapshot().get() &&
                       &indexed->programs() == programs_.current().get();
  metrics_.index_current.set(current ? 1 : 0);
  metrics_.set_lags(now.lags);
  if (log_.kafka != nullptr) metrics_.set_kafka(log_.kafka->stats());
  synced_ = now;
}

}  // namespace shanhuo
