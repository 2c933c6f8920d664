// Engine: the composition root. Opens the log and the state, restores, starts the fold and the two
// maintenance threads, and hands the parts to the API. Production wiring happens here and nowhere
// else.
//
//   data_dir/log                the event log
//   data_dir/state              checkpoints; state.N where engines share the folder (member.h)
//   data_dir/token.keys         signs exposure tokens
//   data_dir/ledger.key         signs the ledger, and names viewers and orders in it
//   data_dir/decisions.counter  numbers of decisions
//   data_dir/ramps.json         how far ramps of experiments are
//   data_dir/changes.ndjson, revisions   who changed which program or experiment, and their texts
//
// Threads: the fold (streaming/pipeline.h), upkeep (programs, prices, calibration; every 100 ms),
// the index builder. All public calls are thread-safe; open() and stop() belong to one owner.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "configs/boosting_switch.h"
#include "configs/engine_options.h"
#include "configs/experiment_store.h"
#include "configs/giving_reader.h"
#include "configs/imported_flags.h"
#include "configs/program_store.h"
#include "features/giving.h"
#include "features/item_totals.h"
#include "features/segment_rates.h"
#include "models/calibration.h"
#include "models/value_variations.h"
#include "ranking/graduates.h"
#include "ranking/price_controller.h"
#include "ranking/retrieval.h"
#include "serving/change_book.h"
#include "serving/decision_book.h"
#include "serving/dry_run.h"
#include "serving/engine_log.h"
#include "serving/engine_time.h"
#include "serving/experiment_watch.h"
#include "serving/metrics.h"
#include "serving/model_shelf.h"
#include "serving/page_meters.h"
#include "serving/ranker.h"
#include "serving/revision_book.h"
#include "serving/traffic_book.h"
#include "streaming/checkpoint.h"
#include "streaming/pipeline.h"

namespace shanhuo {

enum class ConfigKind : uint8_t { kProgram, kExperiment };

class Engine {
 public:
  // `config_dir` holds programs/, experiments/, metrics/ and giving/. Fails when a folder cannot be
  // opened, the state does not hold, or a program file is broken (kInvalid, all errors in the
  // text). `clock` must outlive the engine. `fence` is asked before each checkpoint is written
  // (streaming/checkpoint.h).
  static Result<std::unique_ptr<Engine>> open(const EngineOptions& options,
                                              const std::string& config_dir, const Clock& clock,
                                              CheckpointStore::Fence fence = nullptr);
  ~Engine();  // stop()
  // Folds what is in the log, writes a last checkpoint, ends the threads. Idempotent.
  void stop();
  // Ends the threads, without folding or writing anything more: the state is somebody else's.
  void drop();

  // Appends the changes and waits until they are visible. All or nothing on the log; kUnavailable
  // when the log does not take them, or when they are not visible after api.wait_applied_ms (they
  // will be).
  Status change_catalogue(const std::vector<CatalogueChange>& changes);
  // Appends encoded events; `done` is called when they are durable, or were refused.
  void append_events(const std::vector<AppendRecord>& records, EventLog::Done done);
  // Forgets a viewer: state now, disk within a minute, replay for good.
  Status forget(std::string_view user_id);
  // Appends a pledge of points and waits until the fold has decided. kUnavailable as above.
  Result<PledgeOutcome> pledge(const Pledge& pledge);
  // A consistent copy of the data folder into `directory`, which must not exist, while serving,
  // with all that was answered before the call. On Kafka that is the state alone: the cluster keeps
  // the log.
  Status backup(const std::string& directory);
  // Changes or deletes the file of a program or an experiment on behalf of `who`; live, and in the
  // books of changes and revisions, when this returns (configs/config_store.h).
  Result<ConfigChange> write_config(ConfigKind kind, std::string_view id, const ConfigEdit& edit,
                                    const std::optional<std::string>& if_revision,
                                    const std::string& who, ConfigErrors& wrong,
                                    const std::string& why = {});
  Result<ConfigChange> remove_config(ConfigKind kind, std::string_view id,
                                     const std::optional<std::string>& if_revision,
                                     const std::string& who);
  // Switches all boosting, from the next request on and after a restart (boosting_switch.h).
  Result<ConfigChange> set_boosting(bool enabled, const std::optional<std::string>& if_revision,
                                    const std::string& who);

  // What a change would do (dry_run.h); kInvalid and kConflict as write_config().
  Result<DryRunReport> dry_run(ConfigKind kind, std::string_view id, const ConfigEdit& edit,
                               const RankLimits& limits, ConfigErrors& wrong);
  RequestRing& recent() { return recent_; }

  // Requests find and compare items by the vectors of this version from then on, and after a
  // restart; while it is loaded, verified and indexed, by the present ones, and for good when it is
  // refused (kNotFound, or the reason). False: it takes longer than models.swap_wait_ms, and goes
  // on. In the book of changes, on behalf of `who`.
  Result<bool> use_model(const std::string& version, const std::string& who);
  const ModelShelf& models() const { return models_; }
  // Why the version that was chosen before the last start does not serve; empty: it does.
  const std::string& model_refused() const { return model_refused_; }

  // True, or what is missing: state restored, log reachable, index built.
  bool ready(std::string& why) const;
  // Brings metrics up to date with the pipeline, for a scrape.
  void sync_metrics();

  // As the engine was opened with, but for `ranking`.
  const EngineOptions& options() const { return options_; }
  // Takes the options over for the next requests; the other sections of engine.yaml need a restart.
  void set_ranking(const RankingOptions& options);
  std::shared_ptr<const RankingOptions> ranking() const { return ranking_.get(); }
  EngineTime& time() { return time_; }
  const Interner& interner() const { return interner_; }
  std::shared_ptr<const Catalogue> catalogue() const { return catalogue_.snapshot(); }
  std::shared_ptr<const World> world() const { return world_.get(); }
  std::shared_ptr<const Graduates> graduates() const { return graduates_.get(); }
  const FeatureStore& features() const { return *features_; }
  const ProgramStore& programs() const { return programs_; }
  const ExperimentStore& experiments() const { return experiments_; }
  const ImportedFlagFile& imported() const { return imported_; }
  const BoostingSwitch& boosting() const { return boosting_; }
  ExperimentWatch& watch() { return *watch_; }
  const MetricStore& metric_files() const { return metric_files_; }
  const PriceController& prices() const { return prices_; }
  const GivingBook& giving() const { return *giving_; }
  ValueModels values() const { return values_.models(); }
  const TrafficBook& requests() const { return requests_; }
  const ChangeBook& changes() const { return *changes_; }
  // Who looked at which person's data; the people stand in it by a keyed hash.
  const ChangeBook& reads() const { return *reads_; }
  Status note_read(const std::string& who, const std::string& what, std::string_view user_id);
  const RevisionBook& revisions() const { return *revisions_; }
  EventLog& log() { return *log_.log; }
  Pipeline& pipeline() { return *pipeline_; }
  const StateReader& stored() const { return checkpoints_->store(); }
  Ranker& ranker() { return *ranker_; }
  Metrics& metrics() { return metrics_; }
  const DecisionBook& decisions() const { return *decisions_; }

 private:
  class SeedPrices;
  static constexpr std::chrono::milliseconds kUpkeepPeriod{100};

  Engine(const EngineOptions& options, const std::string& config_dir, const Clock& clock);
  Status open_parts(CheckpointStore::Fence fence);
  Status make_features();
  void make_ranker();
  Status make_giving();
  void publish_giving();
  Status start();
  void fold_tail();
  // Where they stand, once all are durable.
  Result<Appended> append_and_wait(Topic topic, uint32_t partition,
                                   const std::vector<AppendRecord>& records);
  bool wait_applied(Topic topic, const Appended& appended);
  ConfigStore& store_of(ConfigKind kind);
  Status note(const ConfigChange& change, const std::string& who, const std::string& why = {});
  Status open_watch();
  RankSide side_now();
  Status dry_run_limit(const World& world) const;
  Status note_file(ConfigChange& change);
  void note_files(const ConfigStore& store, const ConfigStore::Texts& before);
  void take_over_programs();
  void reload(ConfigStore& store, const char* what);
  void reload_experiments();
  void reload_boosting();
  void refresh_world();
  // `world`, or what follows from it by now. Requires: world_mutex_ is held.
  void publish_world(std::shared_ptr<const World> world);
  void end_upkeep();
  void upkeep();
  void build_indexes();
  void swap_model(const std::shared_ptr<const VectorModel>& model);
  void load_model();
  double delivered(const ProgramId& program, GoalUnit unit, Millis from, Millis to) const;

  // Constant after open():
  const EngineOptions options_;
  const Clock& clock_;
  EngineTime time_;
  Metrics metrics_;
  PageMeters meters_;

  const ModelShelf models_;
  std::string model_refused_;

  // Each with its own synchronization:
  Interner interner_;
  CatalogueState catalogue_;
  ProgramStore programs_;
  MetricStore metric_files_;
  ExperimentStore experiments_;
  ImportedFlagFile imported_;
  BoostingSwitch boosting_;
  GivingStore giving_rules_;
  std::shared_ptr<const RankingOptions> experiments_base_;  // what they were read against
  PriceController prices_;
  CalibrationLearner calibration_;
  ValueVariations values_;
  IndexRetriever retriever_;
  TrafficBook requests_{{}};
  RequestRing recent_{{}};
  Published<RankingOptions> ranking_;
  Published<World> world_;
  Published<World> indexed_{nullptr};  // what retrieval knows; null: nothing yet
  ItemTotals totals_;
  SegmentRates segments_;
  Published<Graduates> graduates_;
  Published<TokenKeys> keys_;
  OpenedLog log_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  std::unique_ptr<LedgerKeys> ledger_keys_;
  std::unique_ptr<GivingBook> giving_;
  std::unique_ptr<FeatureStore> features_;
  std::vector<std::unique_ptr<Deduplicator>> dedup_;  // by partition
  std::unique_ptr<DecisionBook> decisions_;
  std::unique_ptr<ChangeBook> changes_, reads_;
  std::unique_ptr<RevisionBook> revisions_;
  std::unique_ptr<ExperimentWatch> watch_;
  std::unique_ptr<ExposureBook> exposures_;
  std::unique_ptr<Ranker> ranker_;
  std::vector<std::unique_ptr<FoldObserver>> observers_;
  std::unique_ptr<SeedPrices> seed_prices_;
  std::unique_ptr<Pipeline> pipeline_;

  std::mutex world_mutex_;            // one builder of worlds at a time
  int64_t programs_day_ = INT64_MIN;  // of the goals that prices have; guarded by world_mutex_ once
                                      // the engine runs
  std::mutex metrics_mutex_;
  PipelineStats synced_;  // guarded by metrics_mutex_

  std::mutex stop_mutex_;
  std::condition_variable stop_signal_;
  bool stopping_ = false;  // guarded by stop_mutex_
  // Guarded by stop_mutex_; empty: the one that serves. Signalled when it has been taken over.
  std::optional<std::shared_ptr<const VectorModel>> wanted_model_;
  std::condition_variable model_signal_;
  std::mutex use_model_mutex_;  // one change of the model at a time
  std::thread upkeep_thread_, index_thread_;
};

}  // namespace shanhuo
