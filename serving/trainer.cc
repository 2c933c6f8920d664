// Both learners go on from any state that a run of theirs gave, as if it had not stopped; so a
// round at a time, saved after each, is one long run.
//
// Tested by tests/serving_trainer_test.cc and tests/train_test.py.
#include "serving/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/durable_file.h"
#include "base/hash.h"
#include "models/dense.h"
#include "models/row_math.h"
#include "serving/terminal.h"
#include "serving/train_judge.h"

namespace shanhuo {
namespace {

using Phase = TrainState::Phase;
constexpr uint64_t kRevision = 1;     // of what is trained and how: results change with it
constexpr uint64_t kTextHidden = 10;  // one in so many
constexpr float kShortest = 1e-6F;    // a vector that is shorter has no direction

bool is_als(const TrainOptions& options) { return options.kind == VectorModelKind::kAls; }

std::vector<uint32_t> count_viewers(const SparseRows& histories) {
  std::vector<uint32_t> counts(histories.columns());
  for (size_t u = 0; u < histories.rows(); ++u) {
    for (const uint32_t item : histories.row(u)) ++counts[item];
  }
  return counts;
}

void make_unit(std::span<float> row) {
  const float length = std::sqrt(inner(row.data(), row.data(), row.size()));
  for (float& x : row) x = length > kShortest ? x / length : 0;
}

float cosine(std::span<const float> a, std::span<const float> b) {
  std::vector<float> unit_a(a.begin(), a.end()), unit_b(b.begin(), b.end());
  make_unit(unit_a);
  make_unit(unit_b);
  return inner(unit_a.data(), unit_b.data(), a.size());
}

// Whether this much can be learned from at all.
bool enough(const SparseRows& histories, const TrainOptions& options) {
  if (is_als(options)) return histories.entries() > 0;
  for (size_t u = 0; u < histories.rows(); ++u) {
    if (histories.row(u).size() >= 2) return true;
  }
  return false;
}

class ModelTrainer {
 public:
  ModelTrainer(const TrainData& data, const TrainOptions& options, TrainState state,
               const TrainStateFile& file)
      : data_(data), options_(options), state_(std::move(state)), file_(file) {}

  Result<TrainedModel> run() {
    use_calling_thread();
    if (!enough(data_.histories, options_)) {
      return Error{ErrorCode::kInvalid, "there is nothing to learn from: no viewer has two items"};
    }
    if (state_.phase == Phase::kJudged) {
      if (const Status judged = judge(); !judged.ok()) return judged.error();
      TrainState next;
      next.phase = Phase::kFinal;
      next.metrics = std::move(state_.metrics);
      state_ = std::move(next);
      if (const Status saved = file_.save(state_); !saved.ok()) return saved.error();
    }
    if (const Status trained = train(data_.histories, "train"); !trained.ok()) {
      return trained.error();
    }
    TrainedModel model;
    model.parts = parts_of(data_.histories);
    const Status mapped = learn_text(model.parts, [](size_t) { return true; });
    if (!mapped.ok()) return mapped.error();
    tell_facts(model.facts);
    return model;
  }

 private:
  int rounds() const {
    return is_als(options_) ? options_.settings.als.sweeps : options_.settings.softmax.epochs;
  }
  int threads() const {
    return is_als(options_) ? options_.settings.als.threads : options_.settings.softmax.threads;
  }

  Status train(const SparseRows& histories, const char* label) {
    Progress progress(label, is_als(options_) ? "sweeps" : "epochs");
    while (state_.rounds < rounds()) {
      // The learner counts all rounds until the one that is under way.
      const auto tell = [&](double share) {
        progress.update(share * (state_.rounds + 1) / rounds(),
                        static_cast<uint64_t>(state_.rounds));
        return true;
      };
      Status done = is_als(options_) ? sweep(histories, tell) : epoch(histories, tell);
      if (done.ok()) done = file_.save(state_);
      if (!done.ok()) return done;
      progress.update(static_cast<double>(state_.rounds) / rounds(),
                      static_cast<uint64_t>(state_.rounds));
      if (interrupted() && state_.rounds < rounds()) {
        return Error{ErrorCode::kUnavailable, "interrupted; --resume goes on from here"};
      }
    }
    return {};
  }

  Status sweep(const SparseRows& histories, const AlsProgress& progress) {
    auto& [users, items, unused, none] = state_.tables;
    AlsOptions once = options_.settings.als;
    once.sweeps = state_.rounds + 1;
    Result<AlsState> done =
        train_als(histories, once, {state_.rounds, std::move(users), std::move(items)}, progress);
    if (!done.ok()) return done.error();
    users = std::move(done.value().users);
    items = std::move(done.value().items);
    ++state_.rounds;
    return {};
  }

  Status epoch(const SparseRows& histories, const HistorySoftmaxProgress& progress) {
    auto& [of_histories, of_candidates, scale, candidates_scale] = state_.tables;
    HistorySoftmaxOptions once = options_.settings.softmax;
    once.epochs = state_.rounds + 1;
    Result<HistorySoftmaxState> done =
        train_history_softmax(histories, once,
                              {state_.rounds, std::move(of_histories), std::move(of_candidates),
                               std::move(scale), std::move(candidates_scale)},
                              progress);
    if (!done.ok()) return done.error();
    HistorySoftmaxState& learned = done.value();
    state_.tables = {std::move(learned.histories), std::move(learned.candidates),
                     std::move(learned.histories_scale), std::move(learned.candidates_scale)};
    ++state_.rounds;
    return {};
  }

  // What was learned, without text.
  VectorModelParts parts_of(const SparseRows& histories) const {
    VectorModelParts parts;
    parts.version = "training";
    parts.kind = options_.kind;
    parts.als = options_.settings.als;
    parts.evidence_half = options_.settings.evidence_half;
    parts.items = data_.items;
    parts.evidence = count_viewers(histories);
    if (is_als(options_)) {
      parts.histories = state_.tables[1];
      return parts;
    }
    parts.nearness = options_.settings.softmax.nearness;
    parts.histories = state_.tables[0];
    parts.candidates = state_.tables[1];
    for (size_t i = 0; i < parts.items.size(); ++i) {
      make_unit(std::span(parts.candidates).subspan(i * kDims, kDims));
    }
    return parts;
  }

  // Of the items with text and evidence that `use` wants. One with few viewers, whose own vector
  // says little, weighs little; but the weights are 1 in the mean, so that a catalogue where all
  // are rare is not drawn to zero.
  Status learn_text(VectorModelParts& parts, const std::function<bool(size_t item)>& use) const {
    std::vector<std::string> texts;
    std::vector<float> targets, weights;
    double sum = 0;
    for (size_t i = 0; i < parts.items.size(); ++i) {
      if (data_.texts[i].empty() || parts.evidence[i] == 0 || !use(i)) continue;
      texts.push_back(data_.texts[i]);
      for (const std::vector<float>* rows : {&parts.histories, &parts.candidates}) {
        if (rows->empty()) continue;
        const auto row = rows->begin() + static_cast<std::ptrdiff_t>(i * kDims);
        targets.insert(targets.end(), row, row + kDims);
      }
      weights.push_back(
          static_cast<float>(parts.evidence[i] / (parts.evidence[i] + parts.evidence_half)));
      sum += weights.back();
    }
    if (texts.empty()) return {};
    const auto mean = static_cast<float>(sum / static_cast<double>(weights.size()));
    for (float& weight : weights) weight /= mean;
    Result<TextMap> map = TextMap::learn(texts, targets, targets.size() / texts.size(),
                                         options_.settings.text, weights);
    if (!map.ok()) return map.error().within("text");
    parts.text = std::make_shared<const TextMap>(std::move(map).value());
    return {};
  }

  Status judge() {
    if (!options_.judged) return {};
    const HiddenChoices hidden =
        hide_last(data_.histories, options_.judged_viewers_max, options_.seed);
    if (hidden.viewers.empty() || !enough(hidden.rest, options_)) return {};
    if (const Status trained = train(hidden.rest, "judge"); !trained.ok()) return trained;
    VectorModelParts parts = parts_of(hidden.rest);
    const auto kept = [this](size_t item) { return hash64(data_.items[item]) % kTextHidden != 0; };
    if (const Status mapped = learn_text(parts, kept); !mapped.ok()) return mapped;
    const std::vector<uint32_t> evidence = parts.evidence;
    const ModelFacts::Numbers of_text = judge_text(parts, kept);
    const auto model = VectorModel::make(std::move(parts));
    if (!model.ok()) return model.error().within("what was learned cannot serve");
    state_.metrics = judge_lists(*model.value(), data_, hidden, evidence, threads());
    state_.metrics.insert(state_.metrics.end(), of_text.begin(), of_text.end());
    return {};
  }

  ModelFacts::Numbers judge_text(const VectorModelParts& parts,
                                 const std::function<bool(size_t item)>& kept) const {
    if (!parts.text) return {};
    const std::vector<float>& rows = is_als(options_) ? parts.histories : parts.candidates;
    const auto row = [&](size_t i) { return std::span(rows).subspan(i * kDims, kDims); };
    std::vector<float> mean(kDims), unit(kDims), mapped(parts.text->dims());
    for (size_t i = 0; i < parts.items.size(); ++i) {
      std::ranges::copy(row(i), unit.begin());
      make_unit(unit);
      add_scaled(unit.data(), 1, mean.data(), kDims);
    }
    double items = 0, by_text = 0, by_mean = 0;
    for (size_t i = 0; i < parts.items.size(); ++i) {
      if (kept(i) || data_.texts[i].empty() || parts.evidence[i] < parts.evidence_half) continue;
      parts.text->apply(data_.texts[i], mapped);
      ++items;
      by_text += cosine(std::span(mapped).last(kDims), row(i));
      by_mean += cosine(mean, row(i));
    }
    if (items == 0) return {};
    return {{"text_items", items},
            {"text_cosine", by_text / items},
            {"text_cosine_mean", by_mean / items}};
  }

  void tell_facts(ModelFacts& facts) const {
    facts.first = data_.first;
    facts.last = data_.last;
    facts.events = data_.events;
    facts.viewers = data_.viewers;
    facts.metrics = state_.metrics;
    for (const auto& [name, number] : list(options_.settings)) {
      const std::string_view own = is_als(options_) ? "als." : "softmax.";
      if (name.starts_with(own) || name.starts_with("text.") || name.starts_with("model.")) {
        facts.parameters.emplace_back(name, number);
      }
    }
  }

  const TrainData& data_;
  const TrainOptions& options_;
  TrainState state_;
  const TrainStateFile& file_;
};

}  // namespace

ModelSettings TrainOptions::served_settings() {
  ModelSettings settings;
  settings.als.dims = kDims;
  settings.softmax.dims = kDims;
  settings.softmax.popularity = 0;
  return settings;
}

Status check_train_options(const TrainOptions& options) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  const ModelSettings& settings = options.settings;
  if (settings.als.dims != kDims) return wrong("als.dims: 64 is served");
  if (settings.softmax.dims != kDims) return wrong("softmax.dims: 64 is served");
  if (settings.softmax.popularity != 0) {
    return wrong("softmax.popularity: is no part of a vector that is served");
  }
  if (is_als(options) ? settings.als.sweeps < 1 : settings.softmax.epochs < 1) {
    return wrong("als.sweeps, softmax.epochs: at least 1");
  }
  if (!(settings.evidence_half >= 1e-3 && settings.evidence_half <= 1e9)) {
    return wrong("model.evidence_half: allowed are 0.001 to 1e9");
  }
  return {};
}

uint64_t fingerprint(const TrainData& data, const TrainOptions& options) {
  uint64_t hash = hash_combine(kRevision, static_cast<uint64_t>(options.kind));
  const auto add = [&hash](std::string_view bytes) { hash = hash_combine(hash, hash64(bytes)); };
  for (const auto& [name, number] : list(options.settings)) {
    add(name);
    add(bytes_of(std::span(&number, 1)));
  }
  std::string characters;
  if (options.settings.text.characters) options.settings.text.characters->to_bytes(characters);
  add(characters);
  hash = hash_combine(hash, options.judged ? options.judged_viewers_max : 0);
  hash = hash_combine(hash, options.seed);
  for (const std::string& id : data.items) add(id);
  for (const std::string& text : data.texts) add(text);
  for (size_t u = 0; u < data.histories.rows(); ++u) add(bytes_of(data.histories.row(u)));
  return hash;
}

Result<TrainedModel> train_model(const TrainData& data, const TrainOptions& options,
                                 TrainState state, const TrainStateFile& file) {
  if (const Status checked = check_train_options(options); !checked.ok()) return checked.error();
  Result<TrainedModel> model = ModelTrainer(data, options, std::move(state), file).run();
  if (!model.ok()) return model;
  VectorModelParts copy = model.value().parts;
  if (const auto made = VectorModel::make(std::move(copy)); !made.ok()) {
    return made.error().within("what was learned cannot serve");
  }
  return model;
}

}  // namespace shanhuo
