// `shanhuo evaluate captions`: items that nobody has seen, by their text alone. Half of the
// captions, drawn, are cold: each one's ten nearest among the cold should share its category. The
// learned map sees the other half, whose categories stand for the vectors that trained items have:
// its target is a category's place in the space (one axis each). --part dev draws both parts out of
// that other half: there the ridge was chosen.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "base/random.h"
#include "models/dense.h"
#include "models/row_math.h"
#include "models/text_encoder.h"
#include "models/text_map.h"
#include "serving/char_vector_file.h"
#include "serving/evaluate.h"
#include "serving/model_settings.h"
#include "serving/table_reader.h"

namespace shanhuo {
namespace {

constexpr size_t kNearest = 10;
constexpr double kGainWanted = 2;  // of the learned map over hashed n-grams
constexpr std::string_view kUnknown = "UNKNOWN";

struct Captions {
  std::vector<std::string> texts;
  std::vector<uint32_t> categories;
};

struct Split {
  Captions warm, cold;
  size_t categories = 0;
  uint64_t malformed = 0;
};

Result<Split> read_split(const std::string& path, bool dev, uint64_t seed) {
  Result<TableReader> opened = TableReader::open(
      path, {}, {"manual_cover_text", "caption", "topic_tag", "first_level_category_name"});
  if (!opened.ok()) return opened.error();
  TableReader& rows = opened.value();
  Split split;
  Random random(seed);
  std::map<std::string, uint32_t, std::less<>> numbers;
  for (TableReader::Next next = rows.next(); next != TableReader::Next::kEnd; next = rows.next()) {
    if (next == TableReader::Next::kMalformed) {
      ++split.malformed;
      continue;
    }
    const std::string_view category = rows.field(3);
    if (category.empty() || category == kUnknown) continue;
    std::string text;
    for (size_t f = 0; f < 3; ++f) {
      if (rows.field(f) != kUnknown && rows.field(f) != "[]") text.append(rows.field(f)) += ' ';
    }
    if (text.find_first_not_of(' ') == text.npos) continue;
    bool cold = random.chance(0.5);
    const bool second = random.chance(0.5);
    if (dev && cold) continue;
    if (dev) cold = second;
    Captions& part = cold ? split.cold : split.warm;
    part.texts.push_back(std::move(text));
    const auto number = static_cast<uint32_t>(numbers.size());
    part.categories.push_back(numbers.emplace(category, number).first->second);
  }
  split.categories = numbers.size();
  return split;
}

using Encode = std::function<void(const std::string& text, std::span<float> out)>;

// P@10 of the cold ones, nearest by cosine, an item itself left out.
double precision(const Captions& cold, size_t dims, const Encode& encode) {
  const size_t count = cold.texts.size();
  std::vector<float> rows(count * dims);
  for (size_t i = 0; i < count; ++i) {
    encode(cold.texts[i], std::span(rows).subspan(i * dims, dims));
  }
  unit_rows(rows, dims);
  const ConstMatrixView all(rows.data(), count, dims);
  std::vector<float> similarities(count);
  std::vector<uint32_t> order;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    multiply_transposed({all.row(i), 1, dims}, all, {similarities.data(), 1, count});
    order.clear();
    for (uint32_t other = 0; other < count; ++other) {
      if (other != i) order.push_back(other);
    }
    const size_t kept = std::min(kNearest, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
        [&](uint32_t a, uint32_t b) {
          return similarities[a] != similarities[b] ? similarities[a] > similarities[b] : a < b;
        });
    for (size_t n = 0; n < kept; ++n) {
      sum += cold.categories[order[n]] == cold.categories[i] ? 1.0 / static_cast<double>(kept) : 0;
    }
  }
  return sum / static_cast<double>(std::max<size_t>(count, 1));
}

// From text to a category's place in the space, one axis each.
Result<TextMap> learn_categories(const Captions& warm, size_t categories,
                                 const TextMapOptions& options) {
  std::vector<float> targets(warm.texts.size() * categories);
  for (size_t i = 0; i < warm.texts.size(); ++i) targets[i * categories + warm.categories[i]] = 1;
  return TextMap::learn(warm.texts, targets, categories, options);
}

std::vector<std::string> notes_of(const Split& split, bool dev, uint64_t seed, double ridge) {
  return {std::string("part ") + (dev ? "dev" : "test") + ", seed " + std::to_string(seed) + ": " +
              std::to_string(split.warm.texts.size()) + " captions learned from, " +
              std::to_string(split.cold.texts.size()) + " cold, " +
              std::to_string(split.malformed) + " rows malformed",
          "text.ridge=" + cell(ridge, 3).text};
}

}  // namespace

Result<SuiteReport> evaluate_captions(const SuiteInput& input, const SuiteProgress& progress) {
  use_calling_thread();
  const std::filesystem::path data = input.data;
  const Result<ModelSettings> settings = read_model_settings(input.settings);
  if (!settings.ok()) return settings.error();
  const bool dev = input.part == "dev";
  const auto split = read_split((data / "captions" / "captions.csv").string(), dev, input.seed);
  if (!split.ok()) return split.error();
  Result<CharVectors> characters =
      read_char_vectors((data / "char_vectors" / "tencent_char_200d.vec").string());
  if (!characters.ok()) return characters.error();
  const Captions& warm = split.value().warm;
  const Captions& cold = split.value().cold;
  const size_t dims = split.value().categories;
  TextMapOptions text = settings.value().text;
  const Result<TextMap> map = learn_categories(warm, dims, text);
  if (!map.ok()) return map.error();
  const auto by_characters = std::make_shared<const CharVectors>(std::move(characters).value());
  text.characters = by_characters;
  const Result<TextMap> both = learn_categories(warm, dims, text);
  if (!both.ok()) return both.error();
  progress(0.4);

  SuiteTable table{"vectors",
                   "cold captions whose ten nearest share their category",
                   {"vector", "dims", "P@10"},
                   {}};
  const auto add = [&](const char* name, size_t width, const Encode& encode) {
    const double found = precision(cold, width, encode);
    table.rows.push_back({cell(name), cell(static_cast<double>(width), 0), cell(found, 4)});
    progress(0.4 + 0.12 * static_cast<double>(table.rows.size()));
    return found;
  };
  Random random(input.seed);
  add("random", kDims, [&](const std::string&, std::span<float> out) {
    for (float& x : out) x = static_cast<float>(random.normal());
  });
  const double hashed =
      add("hashed n-grams", kDims, [](const std::string& text, std::span<float> out) {
        Vector vector{};
        add_text(text, 1, 1, vector);
        std::ranges::copy(vector, out.begin());
      });
  add("mean of character vectors", by_characters->width(),
      [&](const std::string& text, std::span<float> out) { by_characters->encode(text, out); });
  const double learned =
      add("n-grams, learned map", dims,
          [&](const std::string& text, std::span<float> out) { map.value().apply(text, out); });
  add("n-grams and character vectors, learned map", dims,
      [&](const std::string& text, std::span<float> out) { both.value().apply(text, out); });
  SuiteReport report;
  report.suite = "captions";
  report.met = dev || learned >= kGainWanted * hashed;
  report.notes = notes_of(split.value(), dev, input.seed, text.ridge);
  report.tables.push_back(std::move(table));
  return report;
}

}  // namespace shanhuo
