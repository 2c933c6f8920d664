#include "serving/model_manifest.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_writer.h"
#include "features/digest.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr std::string_view kFormat = "shanhuo-model";
constexpr int64_t kFormatVersion = 1;
constexpr std::string_view kDigestKey = R"("manifest_sha256":")";
constexpr std::string_view kEnd = "\"}\n";
constexpr size_t kHexDigits = 64;
constexpr size_t kFilesMax = 16;
constexpr size_t kTextBytesMax = 128;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr double kHuge = std::numeric_limits<double>::max();

void write_data(JsonWriter& json, const ModelManifest& manifest) {
  json.key("data");
  json.begin_object();
  json.field("first_ms", manifest.facts.first.count());
  json.field("last_ms", manifest.facts.last.count());
  json.field("events", manifest.facts.events);
  json.field("viewers", manifest.facts.viewers);
  json.field("items", manifest.items);
  json.end_object();
}

void write_files(JsonWriter& json, const std::vector<ModelFile>& files) {
  json.key("files");
  json.begin_array();
  for (const ModelFile& file : files) {
    json.begin_object();
    json.field("name", file.name);
    json.field("bytes", file.bytes);
    json.field("sha256", file.sha256);
    json.end_object();
  }
  json.end_array();
}

// The members of one object, each wanted; what is wrong gathers in the errors.
class Fields {
 public:
  Fields(json::Value object, std::vector<std::string_view> names, const json::Pointer& at,
         json::FieldErrors& errors)
      : names_(std::move(names)), values_(names_.size()), at_(at), errors_(errors) {
    good_ = read_fields(object, names_, values_, at, errors);
  }

  json::Value value(std::string_view name) const {
    return values_[static_cast<size_t>(std::ranges::find(names_, name) - names_.begin())];
  }
  std::string text(std::string_view name) const {
    if (!good_) return {};
    const auto read = json::text_of(value(name), kTextBytesMax, {at_, name}, errors_);
    return std::string(read.value_or(""));
  }
  int64_t integer(std::string_view name, int64_t least) const {
    if (!good_) return least;
    return json::integer_of(value(name), least, kMost, {at_, name}, errors_).value_or(least);
  }
  uint64_t count(std::string_view name) const { return static_cast<uint64_t>(integer(name, 0)); }
  double number(std::string_view name) const {
    if (!good_) return 0;
    return json::number_of(value(name), -kHuge, kHuge, {at_, name}, errors_).value_or(0);
  }

 private:
  const std::vector<std::string_view> names_;
  std::vector<json::Value> values_;
  const json::Pointer& at_;
  json::FieldErrors& errors_;
  bool good_ = false;
};

ModelFacts::Numbers read_numbers(json::Value object, const json::Pointer& at,
                                 json::FieldErrors& errors) {
  ModelFacts::Numbers numbers;
  if (!object.is_object()) errors.add(at, "must be an object");
  for (const json::Member member : object.members()) {
    const auto number = json::number_of(member.value, -kHuge, kHuge, {at, member.name}, errors);
    numbers.emplace_back(member.name, number.value_or(0));
  }
  return numbers;
}

void read_als(json::Value object, const json::Pointer& at, AlsOptions& als,
              json::FieldErrors& errors) {
  const Fields fields(object, {"unobserved_weight", "regularisation", "frequency_exponent"}, at,
                      errors);
  als.dims = kDims;
  als.unobserved_weight = fields.number("unobserved_weight");
  als.regularisation = fields.number("regularisation");
  als.frequency_exponent = fields.number("frequency_exponent");
}

void read_data(json::Value object, const json::Pointer& at, ModelManifest& manifest,
               json::FieldErrors& errors) {
  const Fields fields(object, {"first_ms", "last_ms", "events", "viewers", "items"}, at, errors);
  manifest.facts.first = Millis(fields.integer("first_ms", -kMost));
  manifest.facts.last = Millis(fields.integer("last_ms", -kMost));
  manifest.facts.events = fields.count("events");
  manifest.facts.viewers = fields.count("viewers");
  manifest.items = fields.count("items");
}

void read_files(json::Value array, const json::Pointer& at, std::vector<ModelFile>& files,
                json::FieldErrors& errors) {
  if (!json::is_array_of(array, kFilesMax, at, errors)) return;
  for (const json::Value element : array.elements()) {
    const json::Pointer place(at, files.size());
    const Fields fields(element, {"name", "bytes", "sha256"}, place, errors);
    files.push_back({fields.text("name"), fields.count("bytes"), fields.text("sha256")});
  }
}

void read_root(json::Value root, ModelManifest& manifest, json::FieldErrors& errors) {
  const json::Pointer at;
  const Fields fields(
      root,
      {"format", "format_version", "version", "kind", "dims", "nearness", "evidence_half", "als",
       "data", "parameters", "metrics", "files", "manifest_sha256"},
      at, errors);
  if (!errors.empty()) return;
  manifest.parts.version = fields.text("version");
  const std::string kind = fields.text("kind");
  const auto known = parse_vector_model_kind(kind);
  if (!known) errors.add({at, "kind"}, "is '" + kind + "', allowed: als, history-softmax");
  manifest.parts.kind = known.value_or(VectorModelKind::kAls);
  const int64_t dims = fields.integer("dims", 1);
  if (dims != kDims) {
    errors.add({at, "dims"},
               std::to_string(dims) + " are not the " + std::to_string(kDims) + " that are served");
  }
  manifest.parts.nearness = fields.number("nearness");
  manifest.parts.evidence_half = fields.number("evidence_half");
  if (known == VectorModelKind::kAls) {
    read_als(fields.value("als"), {at, "als"}, manifest.parts.als, errors);
  }
  read_data(fields.value("data"), {at, "data"}, manifest, errors);
  manifest.facts.parameters = read_numbers(fields.value("parameters"), {at, "parameters"}, errors);
  manifest.facts.metrics = read_numbers(fields.value("metrics"), {at, "metrics"}, errors);
  read_files(fields.value("files"), {at, "files"}, manifest.files, errors);
}

Status check_digest(std::string_view text) {
  const size_t key = text.rfind(kDigestKey);
  const auto corrupt = [](const char* what) { return Error{ErrorCode::kCorrupt, what}; };
  if (key == text.npos) return corrupt("does not end in its own digest: cut, or no manifest");
  const size_t digits = key + kDigestKey.size();
  if (text.substr(std::min(digits + kHexDigits, text.size())) != kEnd) {
    return corrupt("does not end in its own digest: cut, or longer than it was");
  }
  if (sha256_hex(text.substr(0, digits)) != text.substr(digits, kHexDigits)) {
    return corrupt("is not as it was written: its digest does not fit");
  }
  return {};
}

}  // namespace

void write_numbers(JsonWriter& json, std::string_view name, const ModelFacts::Numbers& numbers) {
  json.key(name);
  json.begin_object();
  for (const auto& [key, number] : numbers) json.field(key, number);
  json.end_object();
}

std::string manifest_text(const ModelManifest& manifest) {
  const VectorModelParts& parts = manifest.parts;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("format", kFormat);
  json.field("format_version", kFormatVersion);
  json.field("version", parts.version);
  json.field("kind", vector_model_kind_name(parts.kind));
  json.field("dims", kDims);
  json.field("nearness", parts.nearness);
  json.field("evidence_half", parts.evidence_half);
  if (parts.kind == VectorModelKind::kAls) {
    json.key("als");
    json.begin_object();
    json.field("unobserved_weight", parts.als.unobserved_weight);
    json.field("regularisation", parts.als.regularisation);
    json.field("frequency_exponent", parts.als.frequency_exponent);
    json.end_object();
  }
  write_data(json, manifest);
  write_numbers(json, "parameters", manifest.facts.parameters);
  write_numbers(json, "metrics", manifest.facts.metrics);
  write_files(json, manifest.files);
  json.key("manifest_sha256");
  out += '"';
  return out + sha256_hex(out) + std::string(kEnd);
}

Result<ModelManifest> parse_manifest(std::string_view text) {
  if (const Status checked = check_digest(text); !checked.ok()) return checked.error();
  json::Document document({.bytes_max = kManifestBytesMax});
  const Result<json::Value> root = document.parse(text);
  if (!root.ok()) return root.error();
  std::string_view format;
  int64_t version = 0;
  if (!root.value().find("format").get(format) || format != kFormat ||
      !root.value().find("format_version").get(version)) {
    return Error{ErrorCode::kInvalid, "is no manifest of a model"};
  }
  if (version != kFormatVersion) {
    return Error{ErrorCode::kInvalid, "is of format " + std::to_string(version) +
                                          ", this engine reads format " +
                                          std::to_string(kFormatVersion)};
  }
  ModelManifest manifest;
  json::FieldErrors errors;
  read_root(root.value(), manifest, errors);
  if (!errors.empty()) return errors.as_error();
  return manifest;
}

}  // namespace shanhuo
