// A batch is some viewers whose items make about `batch` questions, cut into parts of fixed size.
// A part, on one thread: the questions' vectors q, and
// three products with the drawn items' unit vectors N, which are where the time goes:
//
//     logits = Q N^T        gradient of q = W N        gradient of N = W^T Q
//
// W being the softmax's weights. What a question sums, and what comes back to the histories, are
// running sums from both ends: a history of n costs n, not n^2. The parts' gradients are then added
// up in order and Adagrad takes one step for each vector touched.
//
// A drawn item that is the one asked for would be its own rival and gets weight 0. When there are
// no more items than `negatives`, all of them are rivals and the softmax is exact.
//
// Tested by tests/models_history_softmax_test.cc.
#include "models/history_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "models/adagrad.h"
#include "models/dense.h"
#include "models/parallel.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

constexpr size_t kPartQuestions = 512;
constexpr double kFirstDeviation = 0.1;
// The items drawn for a batch, as unit vectors.
struct Rivals {
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  std::vector<uint32_t> items;
  std::vector<uint32_t> place_of;  // by item: its place in `items`, or kNone
  std::vector<float> units, lengths;
};

// Some viewers' questions, and what one pass over them leaves behind.
struct Part {
  struct Viewer {
    uint32_t first = 0, count = 0;  // in `items`
  };
  std::vector<Viewer> viewers;
  std::vector<uint32_t> items;
  std::vector<float> history_gradients;    // items x dims, of h
  std::vector<float> candidate_gradients;  // items x dims, of y
  std::vector<float> rival_gradients;      // rivals x dims, of their unit vectors
};

// What a thread works in.
struct Scratch {
  std::vector<float> questions, lengths, gradients, weights, sums, own;
};

class Trainer {
 public:
  Trainer(const SparseRows& seen, const HistorySoftmaxOptions& options, HistorySoftmaxState& state)
      : seen_(seen),
        options_(options),
        state_(state),
        dims_(static_cast<size_t>(options.dims)),
        touched_histories_(seen.columns(), dims_),
        touched_candidates_(seen.columns(), dims_),
        scratch_(static_cast<size_t>(options.threads)) {
    std::vector<bool> known(seen.columns());
    for (uint32_t u = 0; u < seen.rows(); ++u) {
      for (const uint32_t item : seen.row(u)) known[item] = true;
      if (seen.row(u).size() >= 2) viewers_.push_back(u);
    }
    for (uint32_t i = 0; i < known.size(); ++i) {
      if (known[i]) known_.push_back(i);
    }
    rivals_.place_of.assign(seen.columns(), Rivals::kNone);
  }

  bool anything() const { return !viewers_.empty(); }

  void begin() {
    Random random(options_.seed);
    const size_t size = seen_.columns() * dims_;
    for (std::vector<float>* table : {&state_.histories, &state_.candidates}) {
      table->assign(size, 0);
      for (const uint32_t item : known_) {
        for (size_t k = 0; k < dims_; ++k) {
          (*table)[item * dims_ + k] = static_cast<float>(kFirstDeviation * random.normal());
        }
      }
    }
    state_.histories_scale.assign(seen_.columns(), 0);
    state_.candidates_scale.assign(seen_.columns(), 0);
  }

  // Each viewer once, in an order of the epoch's own. `done` is told the share after each batch.
  void epoch(const std::function<void(double share)>& done) {
    Random random(hash_combine(options_.seed, static_cast<uint64_t>(state_.epochs) + 1));
    std::vector<uint32_t> order = viewers_;
    for (size_t n = order.size(); n > 1; --n) std::swap(order[n - 1], order[random.below(n)]);
    for (size_t next = 0; next < order.size();) {
      next = fill_parts(order, next, random);
      draw_rivals(random);
      for_each_block(parts_.size(), options_.threads, [this](size_t part, size_t thread) {
        work_on(parts_[part], scratch_[thread]);
      });
      take_step();
      done(static_cast<double>(next) / static_cast<double>(order.size()));
    }
    ++state_.epochs;
  }

 private:
  // Takes viewers from `next` on; returns the first one that is left for later.
  size_t fill_parts(const std::vector<uint32_t>& order, size_t next, Random& random) {
    parts_.clear();
    size_t questions = 0;
    while (next < order.size() && questions < static_cast<size_t>(options_.batch)) {
      if (parts_.empty() || parts_.back().items.size() >= kPartQuestions) parts_.emplace_back();
      Part& part = parts_.back();
      const auto first = static_cast<uint32_t>(part.items.size());
      add_history(seen_.row(order[next++]), random, part.items);
      part.viewers.push_back({first, static_cast<uint32_t>(part.items.size()) - first});
      questions += part.viewers.back().count;
    }
    return next;
  }

  // All of it, or history_max of it, drawn (Knuth's algorithm S).
  void add_history(std::span<const uint32_t> history, Random& random,
                   std::vector<uint32_t>& items) const {
    size_t wanted = std::min(history.size(), static_cast<size_t>(options_.history_max));
    for (size_t i = 0; i < history.size() && wanted > 0; ++i) {
      const size_t left = history.size() - i;
      if (wanted < left && random.below(left) >= wanted) continue;
      items.push_back(history[i]);
      --wanted;
    }
  }

  void draw_rivals(Random& random) {
    for (const uint32_t item : rivals_.items) rivals_.place_of[item] = Rivals::kNone;
    rivals_.items.clear();
    const auto wanted = static_cast<size_t>(options_.negatives);
    const bool all = known_.size() <= 2 * wanted;
    while (rivals_.items.size() < (all ? known_.size() : wanted)) {
      const size_t drawn = all ? rivals_.items.size() : random.below(known_.size());
      const uint32_t item = known_[drawn];
      if (rivals_.place_of[item] != Rivals::kNone) continue;
      rivals_.place_of[item] = static_cast<uint32_t>(rivals_.items.size());
      rivals_.items.push_back(item);
    }
    rivals_.units.resize(rivals_.items.size() * dims_);
    rivals_.lengths.resize(rivals_.items.size());
    for (size_t n = 0; n < rivals_.items.size(); ++n) {
      rivals_.lengths[n] = copy_unit(candidate(rivals_.items[n]), rivals_.units.data() + n * dims_);
    }
  }

  // Returns the length.
  float copy_unit(const float* from, float* to) const {
    const float length = length_of(from, dims_);
    for (size_t k = 0; k < dims_; ++k) to[k] = from[k] / length;
    return length;
  }

  const float* history(uint32_t item) const { return state_.histories.data() + item * dims_; }
  const float* candidate(uint32_t item) const { return state_.candidates.data() + item * dims_; }

  void ask(const Part& part, Scratch& s) const {
    s.questions.resize(part.items.size() * dims_);
    s.lengths.resize(part.items.size());
    for (const Part::Viewer& viewer : part.viewers) {
      const std::span items = std::span(part.items).subspan(viewer.first, viewer.count);
      s.own.resize(items.size() * dims_);
      for (size_t n = 0; n < items.size(); ++n) {
        std::copy_n(history(items[n]), dims_, s.own.data() + n * dims_);
      }
      float* questions = s.questions.data() + viewer.first * dims_;
      sum_near(s.own.data(), items.size(), questions);
      for (size_t n = 0; n < items.size(); ++n) {
        s.lengths[viewer.first + n] = copy_unit(questions + n * dims_, questions + n * dims_);
      }
    }
  }

  // Row n of `out` = the sum of nearness^|n - m| times row m of `rows`, over all m but n. A row
  // takes the same part in each other's sum, so gradients go back through the same sums.
  void sum_near(const float* rows, size_t count, float* out) const {
    const auto nearness = static_cast<float>(options_.nearness);
    std::fill_n(out, count * dims_, 0.0F);
    std::vector<float> before(dims_), behind(dims_);
    for (size_t n = 1; n < count; ++n) {
      const size_t last = count - n;
      for (size_t k = 0; k < dims_; ++k) {
        before[k] = nearness * (before[k] + rows[(n - 1) * dims_ + k]);
        behind[k] = nearness * (behind[k] + rows[last * dims_ + k]);
        out[n * dims_ + k] += before[k];
        out[(last - 1) * dims_ + k] += behind[k];
      }
    }
  }

  void work_on(Part& part, Scratch& s) const {
    const size_t count = part.items.size(), rivals = rivals_.items.size();
    ask(part, s);
    s.weights.resize(count * rivals);
    s.sums.resize(count);
    s.gradients.resize(count * dims_);
    s.own.resize(std::max(s.own.size(), dims_));
    part.candidate_gradients.resize(count * dims_);
    part.rival_gradients.resize(rivals * dims_);
    const MatrixView questions{s.questions.data(), count, dims_};
    const MatrixView weights{s.weights.data(), count, rivals};
    const ConstMatrixView units(rivals_.units.data(), rivals, dims_);
    const auto cold = static_cast<float>(1 / options_.temperature);
    multiply_transposed(questions, units, weights);
    exponentials(weights, cold, s.sums);
    std::vector<float> own_slope(count);
    for (size_t n = 0; n < count; ++n) own_slope[n] = normalise(n, part.items[n], cold, s);
    multiply(weights, units, {s.gradients.data(), count, dims_});
    multiply_first_transposed(weights, questions, {part.rival_gradients.data(), rivals, dims_});
    for (size_t n = 0; n < count; ++n) add_own(n, own_slope[n], part, s);
    share_among_histories(part, s);
  }

  // Makes row n of the exponentials the loss's slopes; returns that of the item asked for.
  float normalise(size_t n, uint32_t item, float cold, Scratch& s) const {
    const size_t rivals = rivals_.items.size();
    float* row = s.weights.data() + n * rivals;
    if (const uint32_t place = rivals_.place_of[item]; place != Rivals::kNone) {
      s.sums[n] -= row[place];
      row[place] = 0;
    }
    copy_unit(candidate(item), s.own.data());
    const float own = std::exp(cold * inner(s.questions.data() + n * dims_, s.own.data(), dims_));
    const float all = own + std::max(s.sums[n], 0.0F);
    for (size_t k = 0; k < rivals; ++k) row[k] *= cold / all;
    return cold * (own / all - 1);
  }

  void add_own(size_t n, float slope, Part& part, Scratch& s) const {
    const float* question = s.questions.data() + n * dims_;
    float* gradient = s.gradients.data() + n * dims_;
    float* of_candidate = part.candidate_gradients.data() + n * dims_;
    const float length = copy_unit(candidate(part.items[n]), s.own.data());
    add_scaled(s.own.data(), slope, gradient, dims_);
    through_unit(question, s.lengths[n], gradient, dims_);
    for (size_t k = 0; k < dims_; ++k) of_candidate[k] = slope * question[k];
    through_unit(s.own.data(), length, of_candidate, dims_);
  }

  void share_among_histories(Part& part, const Scratch& s) const {
    part.history_gradients.resize(part.items.size() * dims_);
    for (const Part::Viewer& viewer : part.viewers) {
      const size_t first = viewer.first * dims_;
      sum_near(s.gradients.data() + first, viewer.count, part.history_gradients.data() + first);
    }
  }

  void take_step() {
    std::vector<float>& rivals = parts_.front().rival_gradients;
    for (size_t p = 1; p < parts_.size(); ++p) {
      add_scaled(parts_[p].rival_gradients.data(), 1, rivals.data(), rivals.size());
    }
    for (size_t n = 0; n < rivals_.items.size(); ++n) {
      float* gradient = rivals.data() + n * dims_;
      through_unit(rivals_.units.data() + n * dims_, rivals_.lengths[n], gradient, dims_);
      touched_candidates_.add(rivals_.items[n], gradient);
    }
    for (const Part& part : parts_) {
      for (size_t n = 0; n < part.items.size(); ++n) {
        touched_candidates_.add(part.items[n], part.candidate_gradients.data() + n * dims_);
        touched_histories_.add(part.items[n], part.history_gradients.data() + n * dims_);
      }
    }
    const auto rate = static_cast<float>(options_.learning_rate);
    touched_histories_.step(rate, state_.histories, state_.histories_scale);
    touched_candidates_.step(rate, state_.candidates, state_.candidates_scale);
  }

  const SparseRows& seen_;
  const HistorySoftmaxOptions& options_;
  HistorySoftmaxState& state_;
  const size_t dims_;
  std::vector<uint32_t> viewers_;  // with something to ask
  std::vector<uint32_t> known_;    // items that anybody has
  AdagradRows touched_histories_, touched_candidates_;
  Rivals rivals_;
  std::vector<Part> parts_;
  std::vector<Scratch> scratch_;
};

Status check_options(const HistorySoftmaxOptions& options) {
  const auto in = [](double value, double least, double most) {
    return value >= least && value <= most;  // not of what is no number
  };
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (!in(options.dims, 1, 1'024)) return wrong("dims: allowed are 1 to 1024");
  if (!in(options.temperature, 0.02, 10)) return wrong("temperature: allowed are 0.02 to 10");
  if (!in(options.learning_rate, 1e-6, 10)) return wrong("learning_rate: allowed are 1e-6 to 10");
  if (!in(options.nearness, 1e-3, 1)) return wrong("nearness: allowed are 0.001 to 1");
  if (!in(options.popularity, 0, 2)) return wrong("popularity: allowed are 0 to 2");
  if (!in(options.negatives, 1, 65'536)) return wrong("negatives: allowed are 1 to 65536");
  if (!in(options.batch, 1, 65'536)) return wrong("batch: allowed are 1 to 65536");
  if (!in(options.history_max, 2, 65'536)) return wrong("history_max: allowed are 2 to 65536");
  if (!in(options.epochs, 0, 10'000)) return wrong("epochs: allowed are 0 to 10000");
  if (!in(options.threads, 1, 256)) return wrong("threads: allowed are 1 to 256");
  return {};
}

Status check_state(const HistorySoftmaxState& state, size_t items, size_t dims) {
  if (state.histories.size() != items * dims || state.candidates.size() != items * dims ||
      state.histories_scale.size() != items || state.candidates_scale.size() != items) {
    return Error{ErrorCode::kInvalid, "the state begun with was trained on data of another size"};
  }
  for (const std::vector<float>* numbers :
       {&state.histories, &state.candidates, &state.histories_scale, &state.candidates_scale}) {
    if (!std::ranges::all_of(*numbers, [](float x) { return std::isfinite(x); })) {
      return Error{ErrorCode::kInvalid, "the state begun with holds what is no number"};
    }
  }
  return {};
}

}  // namespace

Result<HistorySoftmaxState> train_history_softmax(const SparseRows& seen,
                                                  const HistorySoftmaxOptions& options,
                                                  HistorySoftmaxState state,
                                                  const HistorySoftmaxProgress& progress) {
  if (const Status checked = check_options(options); !checked.ok()) return checked.error();
  Trainer trainer(seen, options, state);
  if (!trainer.anything()) {
    return Error{ErrorCode::kInvalid, "there is nothing to learn from: no viewer has two items"};
  }
  if (state.epochs == 0 && state.histories.empty()) trainer.begin();
  const Status fits = check_state(state, seen.columns(), static_cast<size_t>(options.dims));
  if (!fits.ok()) return fits.error();
  bool wanted = true;
  while (wanted && state.epochs < options.epochs) {
    const int before = state.epochs;
    trainer.epoch(
        [&](double share) { wanted = progress((before + share) / options.epochs) && wanted; });
  }
  return state;
}

std::vector<float> serving_items(const HistorySoftmaxState& state, const SparseRows& seen,
                                 const HistorySoftmaxOptions& options) {
  const auto dims = static_cast<size_t>(options.dims);
  const SparseRows audience = seen.transposed();
  CHECK(state.candidates.size() == audience.rows() * dims);
  std::vector<float> rows(audience.rows() * (dims + 1));
  for (size_t i = 0; i < audience.rows(); ++i) {
    const auto viewers = static_cast<double>(audience.row(i).size());
    if (viewers == 0) continue;
    float* row = rows.data() + i * (dims + 1);
    std::copy_n(state.candidates.data() + i * dims, dims, row);
    unit_rows({row, dims}, dims);
    row[dims] =
        static_cast<float>(options.popularity * options.temperature * std::log(0.5 + viewers));
  }
  return rows;
}

void serving_viewer(std::span<const float> histories, std::span<const uint32_t> history,
                    double nearness, std::span<float> out) {
  const std::span<float> taste = out.first(out.size() - 1);
  std::ranges::fill(taste, 0.0F);
  for (const uint32_t item : history) {
    for (float& x : taste) x *= static_cast<float>(nearness);
    add_scaled(histories.data() + item * taste.size(), 1, taste.data(), taste.size());
  }
  unit_rows(taste, taste.size());
  out.back() = 1;
}

}  // namespace shanhuo
