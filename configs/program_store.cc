#include "configs/program_store.h"

#include <algorithm>
#include <map>

#include "configs/program_reader.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

// Conflicts resolve in this order: urgent, then priority, then id.
bool comes_first(const std::shared_ptr<const Program>& a, const std::shared_ptr<const Program>& b) {
  if (a->urgent != b->urgent) return a->urgent;
  if (a->priority != b->priority) return a->priority > b->priority;
  return a->id < b->id;
}

std::string version_of(const ProgramSet& set) {
  std::string all;
  for (const auto& program : set.programs)
    all += program->id.str() + ":" + program->revision + "\n";
  return sha256_hex(all).substr(0, 16);
}

}  // namespace

std::shared_ptr<const ProgramSet> make_program_set(
    std::vector<std::shared_ptr<const Program>> programs) {
  auto set = std::make_shared<ProgramSet>();
  set->programs = std::move(programs);
  std::sort(set->programs.begin(), set->programs.end(), comes_first);
  set->version = version_of(*set);
  return set;
}

ConfigEdit program_patch(Value patch) {
  return definition_patch(std::move(patch), [](std::string_view text, ConfigErrors& errors) {
    return read_program(text, "", errors).has_value();
  });
}

ProgramStore::ProgramStore(std::string folder)
    : ConfigStore("program", std::move(folder),
                  [this](std::vector<ConfigFile>& files, ConfigErrors& errors) {
                    return compile(files, errors);
                  }),
      current_(std::make_shared<const ProgramSet>()) {}

// Null when `errors` grew.
static std::shared_ptr<const ProgramSet> read_programs(std::vector<ConfigFile>& files,
                                                       ConfigErrors& errors) {
  std::vector<std::shared_ptr<const Program>> programs;
  std::map<std::string, std::string> file_of;
  for (ConfigFile& file : files) {
    std::optional<Program> program = read_program(file.text, file.path, errors);
    if (!program) continue;
    file.id = program->id.str();
    const auto [first, is_new] = file_of.emplace(file.id, file.path);
    if (!is_new) {
      errors.push_back(
          {file.path, 0, 0, "id", file.id + " is the id of " + first->second + " already"});
      continue;
    }
    programs.push_back(std::make_shared<const Program>(std::move(*program)));
  }
  if (!errors.empty()) return nullptr;
  return make_program_set(std::move(programs));
}

Result<std::shared_ptr<const ProgramSet>> ProgramStore::preview(std::string_view id,
                                                                const ConfigEdit& edit,
                                                                ConfigErrors& wrong) const {
  Result<std::vector<ConfigFile>> files = preview_files(id, edit, wrong);
  if (!files.ok()) return files.error();
  ConfigErrors errors;
  auto set = read_programs(files.value(), errors);
  if (errors.empty()) return set;
  return Error{ErrorCode::kConflict, "another file is broken: " + errors.front().to_string()};
}

ConfigStore::Publish ProgramStore::compile(std::vector<ConfigFile>& files, ConfigErrors& errors) {
  std::shared_ptr<const ProgramSet> set = read_programs(files, errors);
  if (!errors.empty()) return nullptr;
  return [this, set] { current_.set(set); };
}

}  // namespace shanhuo
