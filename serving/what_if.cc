#include "serving/what_if.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/durable_file.h"
#include "configs/program_reader.h"
#include "configs/program_store.h"
#include "serving/engine.h"
#include "serving/temp_folder.h"
#include "serving/what_if_replay.h"
#include "streaming/codec.h"
#include "streaming/log_scan.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOnKafka =
    "stream.kind is kafka: recorded requests are on the cluster, and only those of an embedded log "
    "are replayed. Ask the running engine instead: `shanhuo program validate FILE` says what a "
    "changed program could get of its recorded traffic";

// Whether another process holds the store's lock.
bool in_use(const std::string& lock) {
  const int file = ::open(lock.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  struct flock held {};
  held.l_type = F_WRLCK;
  held.l_whence = SEEK_SET;
  const bool used = ::fcntl(file, F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
  ::close(file);
  return used;
}

Result<TempFolder> copy_of(const std::string& from) {
  std::error_code error;
  if (!fs::exists(fs::path(from) / "token.keys", error)) {
    return Error{ErrorCode::kInvalid, from + ": is no data folder of an engine"};
  }
  for (const char* folder : {"state", "log"}) {
    if (in_use((fs::path(from) / folder / "LOCK").string())) {
      return Error{ErrorCode::kConflict,
                   from +
                       ": an engine is running on it; look at a copy that `shanhuo backup DIR` "
                       "makes of it"};
    }
  }
  Result<TempFolder> copy = TempFolder::make("shanhuo-what-if");
  if (!copy.ok()) return copy;
  fs::copy(from, copy.value().path(),
           fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  if (error) return Error{ErrorCode::kIo, from + ": cannot be copied: " + error.message()};
  return copy;
}

std::string all_of(const ConfigErrors& errors) {
  std::string out;
  for (const ConfigError& error : errors) out += (out.empty() ? "" : "\n") + error.to_string();
  return out;
}

// The folder's programs, or the present ones with the file's in its place.
Result<std::shared_ptr<const ProgramSet>> changed_programs(const std::string& path,
                                                           const ProgramStore& present) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    ProgramStore store(path);
    store.reload();
    if (!store.errors().empty()) return Error{ErrorCode::kInvalid, all_of(store.errors())};
    if (store.current()->programs.empty()) {
      return Error{ErrorCode::kInvalid, path + ": has no program files (*.yaml)"};
    }
    return store.current();
  }
  const Result<std::string> text = read_text_file(path);
  if (!text.ok()) return text.error();
  ConfigErrors errors;
  std::optional<Program> program = read_program(text.value(), path, errors);
  if (!program) return Error{ErrorCode::kInvalid, all_of(errors)};
  std::vector<std::shared_ptr<const Program>> programs;
  for (const auto& each : present.current()->programs) {
    if (each->id != program->id) programs.push_back(each);
  }
  programs.push_back(std::make_shared<const Program>(std::move(*program)));
  return make_program_set(std::move(programs));
}

// What came of a decision as it was made.
void add_happened(const Decision& decision, const std::map<uint32_t, std::string>& names,
                  const Engine& engine, WhatIfOutcome& out) {
  ++out.pages;
  out.organic_fen += decision.context->organic_value_fen;
  out.loss_fen += decision.context->loss_fen;
  const std::shared_ptr<const World> world = engine.world();
  for (const DecidedInsertion& item : decision.inserted) {
    for (const uint32_t hash : item.programs) {
      const auto name = names.find(hash);
      if (name == names.end()) continue;
      add_units(out.programs[name->second], item.p_viewable, item.p_click, item.p_order);
    }
    const ItemIndex index = engine.interner().find(item.item_id);
    const CatalogueItem* entry = index == kNoItem ? nullptr : world->item(index);
    if (entry != nullptr && !entry->item.county.empty()) {
      out.counties[entry->item.county] += item.p_viewable;
    }
  }
}

}  // namespace

Result<WhatIfReport> what_if(const WhatIfOptions& options, const Clock& clock) {
  if (options.engine.stream_kind != StreamKind::kEmbedded) {
    return Error{ErrorCode::kInvalid, kOnKafka};
  }
  ProgramStore present(options.config_dir + "/programs");
  present.reload();
  if (!present.errors().empty()) return Error{ErrorCode::kInvalid, all_of(present.errors())};
  const auto programs = changed_programs(options.programs, present);
  if (!programs.ok()) return programs.error();
  const Result<TempFolder> copy = copy_of(options.engine.data_dir);
  if (!copy.ok()) return copy.error();
  EngineOptions engine_options = options.engine;
  engine_options.data_dir = copy.value().path();
  Result<std::unique_ptr<Engine>> opened = Engine::open(engine_options, options.config_dir, clock);
  if (!opened.ok()) return opened.error();
  Engine& engine = *opened.value();
  engine.stop();

  WhatIfReport report;
  std::map<uint32_t, std::string> names;
  for (const auto& program : present.current()->programs) {
    names.emplace(program_hash(program->id.view()), program->id.str());
  }
  std::unique_ptr<WhatIfReplay> same, changed;
  const auto take = [&](const LogRecord& record) -> Status {
    if (record.content == ContentType::kForget) return {};
    const Result<Decision> decision = decode_decision(record.value);
    if (!decision.ok()) return decision.error();
    const Decision& made = decision.value();
    if (!made.context || made.at < options.from || made.at >= options.to) {
      ++report.skipped;
      return {};
    }
    if (!same) {
      report.from = made.at;
      same = std::make_unique<WhatIfReplay>(engine, present.current(), made.at);
      changed = std::make_unique<WhatIfReplay>(engine, programs.value(), made.at);
    }
    report.to = made.at;
    add_happened(made, names, engine, report.happened);
    same->page(made);
    changed->page(made);
    return {};
  };
  EventLog& log = engine.log();
  const int64_t first = log.first_offset(Topic::kDecisions, 0);
  Result<std::unique_ptr<LogReader>> reader = log.read(Topic::kDecisions, {{0, first}});
  if (!reader.ok()) return reader.error().within("decisions");
  const int64_t end = log.end_offset(Topic::kDecisions, 0);
  if (const Status read = scan_to(*reader.value(), 0, end, take); !read.ok()) return read.error();
  if (!same) {
    return Error{ErrorCode::kInvalid, options.engine.data_dir +
                                          ": no recorded requests in that time; skipped " +
                                          std::to_string(report.skipped)};
  }
  report.same = same->outcome();
  report.changed = changed->outcome();
  return report;
}

}  // namespace shanhuo
