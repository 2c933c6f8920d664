#include "serving/model_settings.h"

#include <cmath>
#include <cstdio>
#include <variant>

#include "serving/table_reader.h"

namespace shanhuo {
namespace {

using Field = std::variant<int*, double*, uint64_t*>;
struct Setting {
  const char* name;
  Field field;
};

std::vector<Setting> settings_of(ModelSettings& settings) {
  AlsOptions& als = settings.als;
  HistorySoftmaxOptions& softmax = settings.softmax;
  GraphFilterOptions& filter = settings.filter;
  return {{"als.dims", &als.dims},
          {"als.block", &als.block},
          {"als.unobserved_weight", &als.unobserved_weight},
          {"als.regularisation", &als.regularisation},
          {"als.frequency_exponent", &als.frequency_exponent},
          {"als.sweeps", &als.sweeps},
          {"als.threads", &als.threads},
          {"als.seed", &als.seed},
          {"softmax.dims", &softmax.dims},
          {"softmax.temperature", &softmax.temperature},
          {"softmax.learning_rate", &softmax.learning_rate},
          {"softmax.nearness", &softmax.nearness},
          {"softmax.popularity", &softmax.popularity},
          {"softmax.negatives", &softmax.negatives},
          {"softmax.batch", &softmax.batch},
          {"softmax.history_max", &softmax.history_max},
          {"softmax.epochs", &softmax.epochs},
          {"softmax.threads", &softmax.threads},
          {"softmax.seed", &softmax.seed},
          {"filter.dims", &filter.dims},
          {"filter.viewer_exponent", &filter.viewer_exponent},
          {"filter.item_exponent", &filter.item_exponent},
          {"filter.gain_exponent", &filter.gain_exponent},
          {"filter.history_exponent", &filter.history_exponent},
          {"filter.candidate_exponent", &filter.candidate_exponent},
          {"filter.passes", &filter.passes},
          {"filter.threads", &filter.threads},
          {"filter.seed", &filter.seed},
          {"text.bits", &settings.text.bits},
          {"text.ridge", &settings.text.ridge},
          {"text.steps", &settings.text.steps},
          {"text.key_weight", &settings.text.key_weight},
          {"text.character_weight", &settings.text.character_weight},
          {"model.evidence_half", &settings.evidence_half},
          {"trend.weight", &settings.trend},
          {"trend.half_life_days", &settings.trend_days}};
}

bool set_number(const Field& field, double number) {
  if (double* const* real = std::get_if<double*>(&field)) {
    **real = number;
    return true;
  }
  if (number != std::floor(number) || std::abs(number) > 2e9) return false;
  if (int* const* whole = std::get_if<int*>(&field)) {
    **whole = static_cast<int>(number);
    return true;
  }
  if (number < 0) return false;
  **std::get_if<uint64_t*>(&field) = static_cast<uint64_t>(number);
  return true;
}

double number_of(const Field& field) {
  return std::visit([](const auto* value) { return static_cast<double>(*value); }, field);
}

}  // namespace

Result<ModelSettings> read_model_settings(const std::vector<std::string>& settings,
                                          const ModelSettings& defaults) {
  ModelSettings read = defaults;
  for (const std::string& setting : settings) {
    const size_t equals = std::min(setting.find('='), setting.size());
    const std::string key = setting.substr(0, equals);
    std::string allowed;
    bool found = false;
    for (const Setting& known : settings_of(read)) {
      allowed.append(allowed.empty() ? "" : ", ").append(known.name);
      if (key != known.name) continue;
      found = true;
      const auto number = parse_decimal(setting.substr(std::min(equals + 1, setting.size())));
      if (!number || !set_number(known.field, *number)) {
        return Error{ErrorCode::kInvalid, "the value does not fit"}.within("--set " + setting);
      }
    }
    if (!found) return Error{ErrorCode::kInvalid, "allowed are " + allowed}.within("--set " + key);
  }
  return read;
}

std::vector<std::pair<std::string, double>> list(const ModelSettings& settings) {
  ModelSettings copy = settings;
  std::vector<std::pair<std::string, double>> all;
  for (const Setting& setting : settings_of(copy)) {
    all.emplace_back(setting.name, number_of(setting.field));
  }
  return all;
}

std::string describe(const ModelSettings& settings) {
  std::string all;
  for (const auto& [name, number] : list(settings)) {
    char text[96];
    std::snprintf(text, sizeof text, "%s%s=%g", all.empty() ? "" : " ", name.c_str(), number);
    all += text;
  }
  return all;
}

}  // namespace shanhuo
