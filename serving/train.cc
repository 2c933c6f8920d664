#include "serving/train.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/json_writer.h"
#include "serving/catalogue_lines.h"
#include "serving/char_vector_file.h"
#include "serving/log_lines.h"
#include "serving/log_source.h"
#include "serving/stream_lines.h"
#include "serving/terminal.h"
#include "serving/trainer.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
using Kind = FlagSpec::Kind;

constexpr FlagSpec kFlags[] = {
    {"events", Kind::kText, "FILE", "events, one a line, as import writes them"},
    {"items", Kind::kText, "FILE", "items, one a line; without them new items have no vector"},
    {"from-log", Kind::kText, "DIR",
     "in place of the files: the log of a data folder or backup, or kafka"},
    {"out", Kind::kText, "DIR", "where the model's folder goes"},
    {"char-vectors", Kind::kText, "FILE",
     "word2vec's text format: vectors of characters for the map from text"},
    {"kind", Kind::kText, "KIND", "history-softmax, or als", "history-softmax"},
    {"version", Kind::kText, "NAME", "the folder's name; otherwise made of kind, day and digest"},
    {"resume", Kind::kSwitch, "", "goes on where a run of the same data and parameters ended"},
    {"no-metrics", Kind::kSwitch, "", "trains once, without judging by what is held out"},
};

Status read_file(const std::string& path, const std::function<Status(LineSource&)>& take) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) {
    return Error{ErrorCode::kIo, path + ": " + (error ? error.message() : std::strerror(errno))};
  }
  StreamLines lines(in, bytes);
  return take(lines);
}

Result<TrainData> read_files(const CliArguments& arguments) {
  TrainReader reader;
  const std::string events = arguments.text("events"), items = arguments.text("items");
  Status read =
      read_file(events, [&](LineSource& lines) { return reader.read_events(lines, events); });
  if (read.ok() && !items.empty()) {
    read = read_file(items, [&](LineSource& lines) { return reader.read_items(lines, items); });
  }
  if (!read.ok()) return read.error();
  return std::move(reader).finish();
}

Result<TrainData> read_log(const std::string& from, const CliArguments& arguments) {
  const WallClock clock;
  CliArguments source = arguments;
  source.settings.clear();  // --set is about the training, --config about the cluster
  const auto log = open_log_source(from, clock, source);
  if (!log.ok()) return log.error().within(from);
  const auto events = LogLines::open(*log.value(), {});
  if (!events.ok()) return events.error().within(from);
  TrainReader reader;
  Status read = reader.read_events(*events.value(), from);
  if (!read.ok()) return read.error();
  const Result<CatalogueLines> catalogue = read_catalogue_lines(*log.value(), {});
  if (catalogue.ok()) {
    MemoryLines items(catalogue.value().items);
    read = reader.read_items(items, from);
    if (!read.ok()) return read.error();
  } else if (catalogue.error().code != ErrorCode::kNotFound) {  // no catalogue: no texts
    return catalogue.error().within(from);
  }
  return std::move(reader).finish();
}

// "20220430", in UTC+8.
std::string day_of(Millis time) {
  std::string text = format_time(time).substr(0, 10);
  std::erase(text, '-');
  return text;
}

std::string version_of(const CliArguments& arguments, const TrainData& data,
                       const TrainOptions& options, uint64_t digest) {
  if (arguments.given("version")) return arguments.text("version");
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(digest));
  return std::string(vector_model_kind_name(options.kind)) + "-" + day_of(data.last) + "-" +
         std::string(hex, 8);
}

void print_model(const std::string& folder, const TrainData& data, const StoredModel& model,
                 bool as_json) {
  const ModelFacts& facts = model.facts;
  const size_t items = model.parts.items.size();
  if (as_json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.field("model", folder);
    json.field("version", model.parts.version);
    json.field("events", facts.events);
    json.field("choices", data.choices);
    json.field("viewers", facts.viewers);
    json.field("items", items);
    json.field("items_with_text", data.with_text());
    json.field("malformed", data.malformed);
    json.key("metrics");
    json.begin_object();
    for (const auto& [name, number] : facts.metrics) json.field(name, number);
    json.end_object();
    json.end_object();
    std::printf("%s\n", out.c_str());
    return;
  }
  std::printf(
      "%s: %s items (%s with text), %s viewers, %s choices of %s events; %s lines malformed\n",
      folder.c_str(), with_separators(items).c_str(), with_separators(data.with_text()).c_str(),
      with_separators(facts.viewers).c_str(), with_separators(data.choices).c_str(),
      with_separators(facts.events).c_str(), with_separators(data.malformed).c_str());
  for (const auto& [name, number] : facts.metrics) {
    std::printf("  %-18s %s\n", name.c_str(),
                format_fixed(number, number == std::floor(number) ? 0 : 4).c_str());
  }
  if (facts.metrics.empty()) std::printf("  no metrics: nothing was held out\n");
}

// The state to begin with: of an earlier run if there is one and it is wanted.
Result<TrainState> first_state(const TrainStateFile& file, bool resume) {
  if (!resume) {
    file.remove();
    return TrainState();
  }
  Result<std::optional<TrainState>> loaded = file.load();
  if (!loaded.ok()) return loaded.error();
  return std::move(loaded).value().value_or(TrainState());
}

Result<StoredModel> make_model(const fs::path& folder, const std::string& version,
                               const TrainData& data, const TrainOptions& options, bool resume,
                               uint64_t digest) {
  const fs::path parent = folder.parent_path();
  const TrainStateFile file((parent / ("." + version + ".training")).string(), digest);
  std::error_code error;
  if (fs::exists(folder, error)) {
    if (!resume) {
      return Error{ErrorCode::kConflict, folder.string() +
                                             ": is there already; versions never "
                                             "change, give another --version"};
    }
    file.remove();  // it was finished
    return read_model(folder.string());
  }
  Result<TrainState> state = first_state(file, resume);
  if (!state.ok()) return state.error();
  Result<TrainedModel> trained = train_model(data, options, std::move(state).value(), file);
  if (!trained.ok()) return trained.error();
  StoredModel model{std::move(trained.value().parts), std::move(trained.value().facts)};
  model.parts.version = version;
  const Status written = write_model(folder.string(), model.parts, model.facts);
  if (!written.ok()) return written.error();
  file.remove();
  return model;
}

Result<TrainOptions> read_train_options(const CliArguments& arguments) {
  TrainOptions options;
  const auto kind = parse_vector_model_kind(arguments.text("kind"));
  if (!kind) return Error{ErrorCode::kInvalid, "--kind: allowed are history-softmax and als"};
  options.kind = *kind;
  options.judged = !arguments.is_on("no-metrics");
  std::vector<std::string> given;
  for (const auto& [key, value] : arguments.settings)
    given.push_back(std::string(key).append("=").append(value));
  Result<ModelSettings> settings = read_model_settings(given, options.settings);
  if (!settings.ok()) return settings.error();
  options.settings = std::move(settings).value();
  if (const Status checked = check_train_options(options); !checked.ok()) {
    return checked.error().within("--set");
  }
  if (arguments.given("char-vectors")) {
    Result<CharVectors> characters = read_char_vectors(arguments.text("char-vectors"));
    if (!characters.ok()) return characters.error();
    options.settings.text.characters =
        std::make_shared<const CharVectors>(std::move(characters).value());
  }
  return options;
}

}  // namespace

const std::span<const FlagSpec> kTrainFlags = kFlags;

int train_verb(const CliArguments& arguments) {
  const std::string from =
      arguments.given("from-log") ? arguments.text("from-log") : arguments.data_dir;
  const bool files = arguments.given("events");
  if (files != from.empty() || (!files && arguments.given("items"))) {
    return bad_usage(arguments, "either --events FILE --items FILE, or --data-dir DIR");
  }
  if (!arguments.given("out")) return bad_usage(arguments, "--out DIR is missing");
  const Result<TrainOptions> options = read_train_options(arguments);
  if (!options.ok()) return bad_usage(arguments, options.error().message);
  if (arguments.given("version") && !valid_version(arguments.text("version"))) {
    return bad_usage(arguments,
                     "--version: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit");
  }
  catch_interrupts();
  const Result<TrainData> data = files ? read_files(arguments) : read_log(from, arguments);
  if (!data.ok()) return fail(arguments, data.error());
  const uint64_t digest = fingerprint(data.value(), options.value());
  const std::string version = version_of(arguments, data.value(), options.value(), digest);
  const fs::path folder = fs::path(arguments.text("out")) / version;
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  if (error) {
    return fail(arguments, {ErrorCode::kIo, arguments.text("out") + ": " + error.message()});
  }
  const Result<StoredModel> model =
      make_model(folder, version, data.value(), options.value(), arguments.is_on("resume"), digest);
  if (!model.ok()) return fail(arguments, model.error());
  print_model(folder.string(), data.value(), model.value(), arguments.json);
  return kExitDone;
}

}  // namespace shanhuo
