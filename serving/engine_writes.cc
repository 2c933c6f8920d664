// What others bring to the log through the engine: changes of the catalogue, events, and the wish
// to be forgotten. Each is durable first, then folded, then answered. And changes of programs and
// experiments, which are durable in their files.
#include <algorithm>
#include <future>

#include "serving/engine.h"
#include "streaming/codec.h"

namespace shanhuo {

Result<Appended> Engine::append_and_wait(Topic topic, uint32_t partition,
                                         const std::vector<AppendRecord>& records) {
  std::promise<Result<Appended>> durable;
  log_->append(topic, partition, records,
               [&](Result<Appended> appended) { durable.set_value(std::move(appended)); });
  return durable.get_future().get();
}

bool Engine::wait_applied(Topic topic, const Appended& appended) {
  return std::all_of(appended.begin(), appended.end(), [&](const LogSpan& span) {
    return pipeline_->wait_applied(topic, span.partition, span.last_offset,
                                   options_.api.wait_applied_ms);
  });
}

Status Engine::change_catalogue(const std::vector<CatalogueChange>& changes) {
  std::vector<std::string> bytes;
  bytes.reserve(changes.size());
  std::vector<std::string> keys;
  keys.reserve(changes.size());
  for (const CatalogueChange& change : changes) {
    const bool deleted = std::holds_alternative<ItemDeleted>(change);
    bytes.push_back(deleted ? "" : encode_catalogue_change(change));  // a tombstone
    keys.push_back(catalogue_key(change));
  }
  std::vector<AppendRecord> records;
  for (size_t i = 0; i < bytes.size(); ++i) {
    records.push_back({keys[i], bytes[i], ContentType::kProtobuf});
  }

  const Result<Appended> appended = append_and_wait(Topic::kItems, kByKey, records);
  if (!appended.ok()) return appended.error();
  if (!wait_applied(Topic::kItems, appended.value())) {
    return Error{ErrorCode::kUnavailable, "accepted, but not visible yet; read it back later"};
  }
  refresh_world();
  return {};
}

void Engine::append_events(const std::vector<AppendRecord>& records, EventLog::Done done) {
  log_->append(Topic::kInteractions, kByKey, records, std::move(done));
}

Status Engine::forget(std::string_view user_id) {
  const std::vector<AppendRecord> record = {{user_id, "", ContentType::kForget}};
  const Result<Appended> decided = append_and_wait(Topic::kDecisions, 0, record);
  if (!decided.ok()) return decided.error();
  const Result<Appended> appended = append_and_wait(Topic::kInteractions, kByKey, record);
  if (!appended.ok()) return appended.error();
  ranker_->forget(user_id);
  recent_.forget(user_id);
  if (!wait_applied(Topic::kInteractions, appended.value())) {
    return Error{ErrorCode::kUnavailable, "accepted; the fold will get to it"};
  }
  return {};
}

ConfigStore& Engine::store_of(ConfigKind kind) {
  if (kind == ConfigKind::kProgram) return programs_;
  return experiments_;
}

// Both texts are kept, so that the change can be looked at and undone.
Status Engine::note(const ConfigChange& change, const std::string& who, const std::string& why) {
  for (const std::string* text : {&change.before, &change.after}) {
    if (const Status saved = revisions_->save(*text); !saved.ok()) return saved;
  }
  const std::string what = why.empty() ? change.what : change.what + "; " + why;
  return changes_->append(
      {clock_.now(), who, change.kind, change.id, what, change.from, change.to});
}

Status Engine::note_read(const std::string& who, const std::string& what,
                         std::string_view user_id) {
  return reads_->append(
      {clock_.now(), who, "user", ledger_keys_->name_of("read", user_id), what, "", ""});
}

Result<ConfigChange> Engine::write_config(ConfigKind kind, std::string_view id,
                                          const ConfigEdit& edit,
                                          const std::optional<std::string>& if_revision,
                                          const std::string& who, ConfigErrors& wrong,
                                          const std::string& why) {
  const auto journal = [&](const ConfigChange& change) { return note(change, who, why); };
  Result<ConfigChange> change = store_of(kind).write(id, edit, if_revision, journal, wrong);
  refresh_world();
  return change;
}

Result<ConfigChange> Engine::set_boosting(bool enabled,
                                          const std::optional<std::string>& if_revision,
                                          const std::string& who) {
  return boosting_.write(enabled, if_revision,
                         [&](const ConfigChange& change) { return note(change, who); });
}

Status Engine::open_watch() {
  const auto write = [this](const std::string& id, Value patch, const std::string& revision,
                            const std::string& who, const std::string& why) -> Status {
    ConfigErrors wrong;
    const auto changed =
        write_config(ConfigKind::kExperiment, id, experiments_.patch(std::move(patch)), revision,
                     who, wrong, why);
    if (!changed.ok()) return changed.error();
    return {};
  };
  auto watch = ExperimentWatch::open(
      options_.data_dir,
      {experiments_, metrics_, boosting_, *changes_, metric_files_, features_->experiments(),
       meters_, options_.experiments.guardrail_viewers_min,
       options_.experiments.guardrail_pages_min, Millis(options_.experiments.guardrail_window_ms),
       Millis(options_.experiments.stale_ms), [this] { return time_.now(); },
       [this] { return pipeline_->watermark(); }, [this] { return clock_.now(); }, write});
  if (!watch.ok()) return watch.error();
  watch_ = std::move(watch).value();
  return {};
}

Result<ConfigChange> Engine::remove_config(ConfigKind kind, std::string_view id,
                                           const std::optional<std::string>& if_revision,
                                           const std::string& who) {
  const auto journal = [&](const ConfigChange& change) { return note(change, who); };
  Result<ConfigChange> change = store_of(kind).remove(id, if_revision, journal);
  refresh_world();
  return change;
}

}  // namespace shanhuo
