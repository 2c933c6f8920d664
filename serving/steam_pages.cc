#include "serving/steam_pages.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <unordered_map>

#include "base/check.h"
#include "serving/table_reader.h"

namespace shanhuo {
namespace {

const std::array<double, kSteamPage>& discounts() {
  static const std::array<double, kSteamPage> kDiscounts = [] {
    std::array<double, kSteamPage> d{};
    for (int p = 0; p < kSteamPage; ++p) d[p] = 1 / std::log2(p + 2.0);
    return d;
  }();
  return kDiscounts;
}

Error bad_row(const TableReader& reader, std::string_view what) {
  return {ErrorCode::kInvalid, reader.place() + ": " + std::string(what)};
}

constexpr int64_t kGroupsMax = 10'000;

Result<std::unordered_map<int64_t, int>> read_groups(const std::string& path) {
  Result<TableReader> reader =
      TableReader::open(path, {.separator = '\t', .quotes = false}, {"item", "group"});
  if (!reader.ok()) return reader.error();
  std::unordered_map<int64_t, int> groups;
  for (;;) {
    const TableReader::Next next = reader.value().next();
    if (next == TableReader::Next::kEnd) return groups;
    const bool row = next == TableReader::Next::kRow;
    const auto item = row ? parse_integer(reader.value().field(0)) : std::nullopt;
    const auto group = row ? parse_integer(reader.value().field(1)) : std::nullopt;
    if (!item || !group || *group < 0 || *group >= kGroupsMax) {
      return bad_row(reader.value(), "an item and a group from 0 to 9999 are expected");
    }
    groups[*item] = static_cast<int>(*group);
  }
}

}  // namespace

Result<SteamPages> SteamPages::read(const std::string& folder, SteamRepeats repeats) {
  const auto path = [&](const char* name) {
    return (std::filesystem::path(folder) / name).string();
  };
  const auto groups = read_groups(path("item_group.tsv"));
  if (!groups.ok()) return groups.error();
  Result<TableReader> reader = TableReader::open(
      path("scores.tsv"), {.separator = '\t', .quotes = false}, {"request", "item", "score"});
  if (!reader.ok()) return reader.error();
  SteamPages pages;
  for (const auto& [item, group] : groups.value()) {
    pages.groups_ = std::max(pages.groups_, group + 1);
  }
  std::map<int64_t, double> scores;  // of the present request, by item
  int64_t present = 0;
  const auto finish = [&] {
    std::vector<SteamCandidate> candidates;
    for (const auto& [item, score] : scores) {
      const auto group = groups.value().find(item);
      candidates.push_back({group != groups.value().end() ? group->second : 0, score,
                            std::round(score * 1e4) / 1e4});
    }
    pages.add(std::move(candidates));
    scores.clear();
  };
  for (;;) {
    const TableReader::Next next = reader.value().next();
    if (next == TableReader::Next::kEnd) break;
    const bool row = next == TableReader::Next::kRow;
    const auto request = row ? parse_integer(reader.value().field(0)) : std::nullopt;
    const auto item = row ? parse_integer(reader.value().field(1)) : std::nullopt;
    const auto score = row ? parse_decimal(reader.value().field(2)) : std::nullopt;
    if (!request || !item || !score || !(*score > 0) || *request < present) {
      return bad_row(reader.value(), "ascending requests, an item and a score > 0 are expected");
    }
    if (*request != present && !scores.empty()) finish();
    present = *request;
    const auto [at, fresh] = scores.emplace(*item, *score);
    if (fresh) continue;
    ++pages.repeats_;
    if (repeats == SteamRepeats::kSum) at->second += *score;
  }
  if (!scores.empty()) finish();
  if (pages.size() == 0) return Error{ErrorCode::kInvalid, path("scores.tsv") + ": no requests"};
  return pages;
}

SteamPages SteamPages::of(std::vector<std::vector<SteamCandidate>> requests, int groups) {
  SteamPages pages;
  pages.groups_ = groups;
  for (auto& request : requests) pages.add(std::move(request));
  return pages;
}

void SteamPages::add(std::vector<SteamCandidate> candidates) {
  CHECK(!candidates.empty());
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const SteamCandidate& a, const SteamCandidate& b) { return a.score > b.score; });
  double ideal = 0;
  for (size_t p = 0; p < std::min<size_t>(kSteamPage, candidates.size()); ++p) {
    ideal += discounts()[p] * candidates[p].score;
  }
  candidates_.insert(candidates_.end(), candidates.begin(), candidates.end());
  begin_.push_back(candidates_.size());
  ideal_.push_back(ideal);
}

double SteamPages::ndcg(size_t request, const SteamPage& page) const {
  const auto all = candidates(request);
  double dcg = 0;
  for (size_t p = 0; p < page.size(); ++p) dcg += discounts()[p] * all[page[p]].score;
  return dcg / ideal_[request];
}

// Candidates stand by descending score, so once the highest price cannot lift one onto the page, no
// later one can be lifted either.
void SteamPages::choose(size_t request, const SteamPrices& prices, SteamPage& page) const {
  const auto all = candidates(request);
  const double own = prices.rule == SteamRule::kPerShare ? prices.mean_ideal / ideal_[request] : 1;
  const double scale = 1 / (1 + prices.viewer);
  const double top = *std::max_element(prices.group.begin(), prices.group.end()) * scale;
  const bool per_item = prices.rule == SteamRule::kPerItem;
  const auto key = [&](double score, double price) {
    return per_item ? score + price : score * (own + price);
  };
  std::array<std::pair<double, int>, kSteamPage> best;  // descending
  int count = 0;
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    if (count == kSteamPage && key(all[i].score, top) <= best[count - 1].first) break;
    const double mine = key(all[i].score, prices.group[all[i].group] * scale);
    if (count == kSteamPage && mine <= best[count - 1].first) continue;
    int at = count < kSteamPage ? count++ : count - 1;
    for (; at > 0 && best[at - 1].first < mine; --at) best[at] = best[at - 1];
    best[at] = {mine, i};
  }
  page.clear();
  for (int p = 0; p < count; ++p) page.push_back(best[p].second);
  std::sort(page.begin(), page.end());
}

// best[i][k]: of candidates i.. when k stand on the page already.
double SteamPages::choose_exactly(size_t request, std::span<const double> group,
                                  SteamPage& page) const {
  const auto all = candidates(request);
  const int n = static_cast<int>(all.size());
  constexpr int kWidth = kSteamPage + 1;
  thread_local std::vector<double> best;
  thread_local std::vector<uint8_t> takes;
  best.assign(static_cast<size_t>(n + 1) * kWidth, 0);
  takes.assign(best.size(), 0);
  const double scale = 1 / ideal_[request];
  for (int i = n - 1; i >= 0; --i) {
    const double price = group[all[i].group] * all[i].counted;
    for (int k = 0; k < kSteamPage; ++k) {
      const double skip = best[(i + 1) * kWidth + k];
      const double take =
          best[(i + 1) * kWidth + k + 1] + discounts()[k] * all[i].score * scale + price;
      best[i * kWidth + k] = std::max(skip, take);
      takes[i * kWidth + k] = take >= skip;
    }
  }
  page.clear();
  for (int i = 0, k = 0; i < n && k < kSteamPage; ++i) {
    if (!takes[i * kWidth + k]) continue;
    page.push_back(i);
    ++k;
  }
  return best[0];
}

void SteamScore::add(const SteamPages& pages, size_t request, const SteamPage& page) {
  const auto all = pages.candidates(request);
  for (const int i : page) given_[all[i].group] += all[i].counted;
  ndcg_ += pages.ndcg(request, page);
  ++pages_;
}

double SteamScore::worst() const { return *std::min_element(given_.begin(), given_.end()); }

double SteamScore::mmf() const {
  std::vector<double> sorted = given_;
  std::sort(sorted.begin(), sorted.end());
  const double all = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  const auto half = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  return all > 0 ? std::accumulate(sorted.begin(), half, 0.0) / all : 0;
}

double SteamScore::gini() const {
  std::vector<double> sorted = given_;
  std::sort(sorted.begin(), sorted.end());
  double cumulated = 0, sum = 0;
  for (const double value : sorted) sum += (cumulated += value);
  const auto n = static_cast<double>(sorted.size());
  return cumulated > 0 ? (n + 1 - 2 * sum / cumulated) / n : 0;
}

SteamSample::SteamSample(const SteamPages& pages, size_t begin, size_t end, size_t size_max,
                         const SteamPrices& terms, bool count_items)
    : pages_(pages),
      begin_(begin),
      end_(end),
      stride_(std::max<size_t>(1, (end - begin) / size_max)),
      size_((end - begin + stride_ - 1) / stride_),
      terms_(terms),
      count_items_(count_items) {}

double SteamSample::replay(std::span<const double> prices, std::span<double> units) const {
  std::fill(units.begin(), units.end(), 0.0);
  if (size_ == 0) return 0;
  SteamPrices terms = terms_;
  terms.group = prices;
  SteamPage page;
  double loss = 0;
  // The latest request is always among them.
  for (size_t k = 0, request = end_ - 1; k < size_; ++k, request -= stride_) {
    pages_.choose(request, terms, page);
    const auto all = pages_.candidates(request);
    for (const int i : page) units[all[i].group] += count_items_ ? 1 : all[i].counted;
    loss += 1 - pages_.ndcg(request, page);
    if (request < begin_ + stride_) break;
  }
  for (double& value : units) value /= static_cast<double>(size_);
  return loss / static_cast<double>(size_);
}

double manifold_rate(std::span<const SteamCandidate> candidates) {
  constexpr double kLeast = 1e-2, kBase = 1.2, kEntropy = 0.7, kFrom = 21, kSkew = 0.5;
  std::vector<double> v;
  for (const SteamCandidate& candidate : candidates) {
    if (candidate.score > kLeast) v.push_back(candidate.score);
  }
  if (v.empty()) return 1;
  const auto n = static_cast<double>(v.size());
  const double most = *std::max_element(v.begin(), v.end());
  double norm = 0, mean = 0;
  for (const double x : v) {
    norm += std::exp(x - most);
    mean += x / n;
  }
  double entropy = 0, second = 0, third = 0;
  for (const double x : v) {
    const double p = std::exp(x - most) / norm;
    entropy -= p * std::log(p) / std::log(kBase);
    second += (x - mean) * (x - mean) / n;
    third += (x - mean) * (x - mean) * (x - mean) / n;
  }
  const double skew = second > 0 ? third / std::pow(second, 1.5) : 0;
  return std::clamp(kEntropy * (entropy - kFrom) - kSkew * skew, 0.08, 10.0);
}

}  // namespace shanhuo
