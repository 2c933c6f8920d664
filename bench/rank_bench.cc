// A rank request from JSON bytes to JSON bytes, on one core, in an engine with 100,000 boostable
// goods, 64 dimensions, 20,000 viewers with history and a program per category; and how much of the
// exact top 100 retrieval finds for these viewers.
//
//   build/release/rank_bench
//
// Wall times are those of the calling thread on whatever machine this runs on; CPU times are what
// the thread itself used, and hardly depend on neighbours.
#include <time.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "bench/engine_fixture.h"
#include "models/viewer_encoder.h"
#include "ranking/recommender.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

constexpr size_t kCandidates = 200;
constexpr int kCount = 20;

struct Sizes {
  size_t items, viewers;
  int64_t events;
  int requests, queries;
};
Sizes sizes() {
  if (bench_smoke()) return {12'000, 500, 5'000, 200, 20};
  return {100'000, 20'000, 600'000, 10'000, 1'000};
}

int64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

double quantile_ms(std::vector<int64_t>& ns, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(ns.size() - 1));
  std::nth_element(ns.begin(), ns.begin() + at, ns.end());
  return static_cast<double>(ns[static_cast<size_t>(at)]) * 1e-6;
}

// The organic list of a feed: videos that the catalogue does not know, and every tenth a good.
std::string rank_body(size_t request, size_t viewer, size_t items, Millis now) {
  std::mt19937_64 random(request);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("request_id", "req-" + std::to_string(request));
  json.field("user_id", BenchEvents::user_of(viewer));
  json.field("surface", "feed");
  json.field("count", kCount);
  json.field("now_ms", now.count());
  json.key("candidates");
  json.begin_array();
  for (size_t i = 0; i < kCandidates; ++i) {
    json.begin_object();
    json.field("item_id", i % 10 == 9
                              ? "good-" + std::to_string((request * 7919 + i) % items)
                              : "video-" + std::to_string(random() % 50'000 * kCandidates + i));
    json.field("score", 0.2 / (1.0 + 0.05 * static_cast<double>(i)));
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return out;
}

class KeptAnswer final : public ResponseSink {
 public:
  void respond(HttpResponse&& response) override { answer = std::move(response); }
  HttpResponse answer;
};

HttpRequest request_of(std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/rank";
  request.segments = {"v1", "rank"};
  request.headers.add("host", "127.0.0.1:8080");
  request.headers.add("content-type", "application/json");
  request.content_type = "application/json";
  request.body = std::move(body);
  request.peer_is_loopback = true;
  return request;
}

void measure_requests(Engine& engine, const Sizes& size) {
  const WallClock clock;
  auto access = Access::open({}, clock);
  CHECK(access.ok());
  HttpApi api(engine, *access.value());
  std::vector<int64_t> wall, cpu;
  size_t inserted = 0, bytes = 0, degraded = 0;
  const int warm_up = size.requests / 10;
  for (int i = 0; i < warm_up + size.requests; ++i) {
    const auto n = static_cast<size_t>(i);
    HttpRequest request = request_of(rank_body(n, mix64(n) % size.viewers, size.items,
                                               kBenchStart + Millis(10'000'000 + i * 10)));
    const auto sink = std::make_shared<KeptAnswer>();
    const int64_t cpu_begin = thread_cpu_ns(), begin = monotonic_ns();
    request.received_ns = begin;
    api.handle(std::move(request), Responder(sink));
    const int64_t end = monotonic_ns(), cpu_end = thread_cpu_ns();
    if (sink->answer.status != 200) std::fprintf(stderr, "%s\n", sink->answer.body.c_str());
    CHECK(sink->answer.status == 200);
    if (i < warm_up) continue;
    wall.push_back(end - begin);
    cpu.push_back(cpu_end - cpu_begin);
    bytes += sink->answer.body.size();
    inserted += sink->answer.body.find("\"boost\"") != std::string::npos;
    degraded += sink->answer.body.find("\"degraded\":[]") == std::string::npos;
  }
  std::printf("%d requests, %.0f bytes an answer, %.1f %% with boosts, %zu degraded\n",
              size.requests, static_cast<double>(bytes) / size.requests,
              100.0 * static_cast<double>(inserted) / size.requests, degraded);
  print_figure("rank_p50", quantile_ms(wall, 0.5), "ms", "<= 0.4");
  print_figure("rank_p99", quantile_ms(wall, 0.99), "ms", "<= 1");
  print_figure("rank_cpu_p50", quantile_ms(cpu, 0.5), "ms", "<= 0.4");
  print_figure("rank_cpu_p99", quantile_ms(cpu, 0.99), "ms", "<= 1");
}

void measure_recall(const Engine& engine, IndexRetriever& retriever, const Sizes& size) {
  const VectorIndex& vectors = retriever.current()->vectors();
  std::vector<VectorHit> exact;
  std::vector<int64_t> ns;
  std::vector<Vector> queries;
  std::vector<std::vector<VectorHit>> answers(static_cast<size_t>(size.queries));
  size_t hits = 0, wanted = 0;
  double worst = 1;
  for (int i = 0; i < size.queries; ++i) {
    const auto viewer = mix64(static_cast<uint64_t>(i) + 99) % size.viewers;
    const ViewerState state = engine.features().viewer(BenchEvents::user_of(viewer));
    queries.push_back(encode_viewer(state, 0.6F));
    const int64_t begin = thread_cpu_ns();
    retriever.current()->nearest(queries.back(), 100, answers[static_cast<size_t>(i)]);
    ns.push_back(thread_cpu_ns() - begin);
  }
  for (size_t i = 0; i < queries.size(); ++i) {
    const std::vector<VectorHit>& found = answers[i];
    vectors.search_exact(queries[i], 100, exact);
    std::unordered_set<ItemIndex> set;
    for (const VectorHit& hit : exact) set.insert(hit.item);
    size_t here = 0;
    for (const VectorHit& hit : found) here += set.count(hit.item);
    worst = std::min(worst, static_cast<double>(here) / static_cast<double>(exact.size()));
    hits += here;
    wanted += exact.size();
  }
  std::printf("%zu vectors, %d probed lists, %d viewers, worst viewer %.2f\n", vectors.size(),
              vectors.probes(), size.queries, worst);
  print_figure("recall", static_cast<double>(hits) / static_cast<double>(wanted), "@100",
               ">= 0.99");
  print_figure("search_cpu_p50", quantile_ms(ns, 0.5), "ms", "-");
}

std::string text_of(const Slate& slate) {
  std::string out;
  for (const SlateItem& item : slate.items) {
    out += std::string(item.item_id) + " " + std::to_string(item.score) + " " +
           std::to_string(item.propensity) + ";";
  }
  return out;
}

// The page itself, twice over the same state with fresh memory: the same bytes.
void check_identical(const Engine& engine, IndexRetriever& retriever, const Sizes& size) {
  const auto world = engine.world();
  const auto prices = engine.prices().table();
  size_t same = 0;
  for (int i = 0; i < size.queries; ++i) {
    RankRequest request;
    const std::string user = BenchEvents::user_of(mix64(static_cast<uint64_t>(i)) % size.viewers);
    request.user_id = user;
    request.request_id = "same";
    request.surface = Surface::kFeed;
    request.count = kCount;
    request.now = kBenchStart + Millis(20'000'000);
    std::vector<std::string> ids;
    for (size_t c = 0; c < kCandidates; ++c) ids.push_back("video-" + std::to_string(c));
    for (size_t c = 0; c < kCandidates; ++c) {
      request.candidates.push_back({ids[c], 0.2 / (1.0 + static_cast<double>(c)), kNoItem});
    }
    const ViewerState viewer = engine.features().viewer(request.user_id);
    const Insertions none;
    const RankContext context{
        viewer, none, *world, *prices, engine.features(), retriever, engine.options().ranking,
        {},     17};
    RankScratch one, other;
    same += text_of(rank(request, context, one)) == text_of(rank(request, context, other));
  }
  print_figure("identical", static_cast<double>(same) / size.queries, "share", "= 1");
  CHECK(same == static_cast<size_t>(size.queries));
}

int run() {
  const Sizes size = sizes();
  const TempDir dir;
  const BenchCatalogue catalogue(size.items);
  BenchEngine bench(dir / "engine");
  bench.write_programs(catalogue.categories());
  bench.open();
  bench.put(catalogue.items());
  bench.send(BenchEvents(size.viewers, size.items), 0, size.events);
  IndexRetriever retriever(bench.options.retrieval);
  const int64_t begin = monotonic_ns();
  retriever.refresh(bench.engine->world(), bench.engine->features());
  std::printf("%zu boostable items, %zu programs, %zu viewers; index built in %.1f s\n",
              bench.engine->world()->boostable().size(), catalogue.categories().size(),
              size.viewers, 1e-9 * static_cast<double>(monotonic_ns() - begin));
  CHECK(bench.engine->world()->boostable().size() == size.items);
  bench.wait_ready();
  measure_recall(*bench.engine, retriever, size);
  check_identical(*bench.engine, retriever, size);
  measure_requests(*bench.engine, size);
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
