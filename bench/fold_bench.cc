// Decode and fold without the log, on one core: what a record costs from its bytes to the state,
// with a million viewers, and where the time goes. JSON events of about 250 bytes and the same as
// protobuf; one in twenty carries a token; everything that serving/ folds into, without the
// learners, with prices and calibration, and with the value models, too. Records come 256 at a
// time, as from the log.
//
// Times are the thread's processor time, in rounds of 100,000 records that are made before each
// round and not counted. The parts are each run alone over the same events, without looking ahead:
// their misses do not overlap as they do in the whole, so they add up to more than it. What they
// leave out: the interner, invalid traffic, whether an exposure is new.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "features/feature_store.h"
#include "serving/observers.h"
#include "streaming/fold.h"

namespace shanhuo {
namespace {

const bool kSmoke = std::getenv("SHANHUO_BENCH_SMOKE") != nullptr;
size_t viewers_total() { return kSmoke ? 10'000 : 1'000'000; }
size_t rounds() { return kSmoke ? 1 : 10; }
size_t round_records() { return kSmoke ? 5'000 : 100'000; }
constexpr size_t kItems = 100'000;
constexpr size_t kPolled = 256;  // records at a time, as the pipeline does by default
constexpr size_t kPrograms = 50;
constexpr int64_t kStartMs = 1'790'000'000'000;

int64_t thread_cpu_ns() {
  timespec now{};
  CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::string item_name(size_t n) { return "item-" + std::to_string(10'000'000 + n); }
std::string program_name(size_t n) { return "program-" + std::to_string(n); }
std::string viewer_name(size_t n) { return "viewer-" + std::to_string(10'000'000 + n); }

struct World {
  World()
      : keys(std::make_shared<const TokenKeys>(
            std::vector<TokenKey>{{.id = 1, .secret = {1, 2, 3}}})) {
    for (size_t i = 0; i < kItems; ++i) {
      Item item;
      item.id = ItemId(item_name(i));
      item.kind = i % 3 == 0 ? ItemKind::kVideo : ItemKind::kFarmGood;
      item.creator_id = CreatorId("creator-" + std::to_string(i % 5'000));
      item.county = "433124";
      item.category = "category-" + std::to_string(i % 40);
      CHECK(catalogue.apply(item).ok());
    }
    catalogue.publish();
  }

  Interner interner;
  CatalogueState catalogue{interner, [](const Item& item) {
                             Vector vector{};
                             vector[hash64(item.id.view()) % kDims] = 1;
                             return vector;
                           }};
  Published<TokenKeys> keys;
};

// The records of a round, and the same events decoded.
struct Round {
  std::vector<std::string> values;
  std::vector<LogRecord> records;
  std::vector<Interaction> events;  // of `records`' bytes, each by a decoder of its own
  std::vector<std::unique_ptr<EventDecoder>> decoders;
};

class Stream {
 public:
  explicit Stream(const World& world) : world_(world) {}

  // Appends one event's bytes to the round.
  void add(ContentType content, Round* round) {
    const uint64_t n = count_++;
    const std::string event_id =
                          "01J8Z6KQ-7f3a9c21-5be1-4c1d-9b7e-" + std::to_string(1'000'000'000 + n),
                      user_id = viewer_name(random_() % viewers_total()),
                      request_id = "request-" + std::to_string(100'000'000 + n / 10);
    const double u = uniform_(random_);
    const std::string item_id = item_name(static_cast<size_t>(kItems * u * u * u));
    Interaction event;
    event.type = type_of(random_() % 100);
    event.surface = Surface::kFeed;
    event.event_id = event_id;
    event.user_id = user_id;
    event.item_id = item_id;
    event.request_id = request_id;
    event.ts = Millis(kStartMs + static_cast<int64_t>(n / 100));
    event.position = static_cast<int32_t>(n % 20);
    (event.type == EventType::kPlay ? event.watch_ms : event.viewable_ms) =
        static_cast<int64_t>(random_() % 5'000);
    std::string token;
    if (n % 20 == 0) {
      token = mint(event);
      event.token = token;
    }
    std::string& value = round->values.emplace_back();
    if (content == ContentType::kProtobuf) return encode_event(event, value);
    JsonWriter json(value);
    write_event_json(json, event);
  }

  Round round(ContentType content) {
    Round round;
    round.values.reserve(round_records());
    for (size_t i = 0; i < round_records(); ++i) add(content, &round);
    for (const std::string& value : round.values) {
      LogRecord& record = round.records.emplace_back();
      record.offset = offset_++;
      record.accepted_at = Millis(kStartMs + 1'000'000);
      record.content = content;
      record.value = value;
    }
    return round;
  }

 private:
  static EventType type_of(uint64_t percent) {
    if (percent < 75) return EventType::kImpression;
    if (percent < 88) return EventType::kPlay;
    return percent < 97 ? EventType::kClick : EventType::kLike;
  }

  std::string mint(const Interaction& event) const {
    ExposureToken token;
    token.request_hash = request_hash(event.user_id, event.request_id);
    token.programs[0] = program_hash(program_name(count_ % kPrograms));
    token.issued_at = event.ts;
    return world_.keys.get()->mint(token, event.user_id, event.item_id);
  }

  const World& world_;
  std::mt19937_64 random_{11};
  std::uniform_real_distribution<double> uniform_{0, 1};
  uint64_t count_ = 0;
  int64_t offset_ = 0;
};

// Every viewer has been seen once.
void fill(World& world, FeatureStore& store) {
  for (size_t i = 0; i < viewers_total(); ++i) {
    const std::string user = viewer_name(i);
    Interaction event;
    event.event_id = "first";
    event.user_id = user;
    event.item_id = world.interner.view_of(static_cast<ItemIndex>(i % kItems));
    event.ts = Millis(kStartMs - 3'600'000);
    FoldContext context;
    context.watermark = event.ts;
    CHECK(store.apply(event, context).empty());
  }
}

enum class Learning { kNone, kPrices, kAll };  // kPrices: calibration and segments, too

// What an engine has learn inside the fold, with something to learn: every token's program has a
// goal, and every organic impression's and click's score is remembered.
class Learners {
 public:
  Learners(FeatureStore& store, bool values) {
    auto set = std::make_shared<ProgramSet>();
    for (size_t i = 0; i < kPrograms; ++i) {
      auto program = std::make_shared<Program>();
      program->id = ProgramId(program_name(i));
      program->start = Millis(kStartMs);
      program->end = Millis(kStartMs) + kDay;
      program->surfaces.fill(true);
      program->goals.push_back(
          {GoalUnit::kViewable, 1e6, 2e6, GoalPeriod::kTotal, Surface::kNone, 10});
      set->programs.push_back(std::move(program));
    }
    set->version = "1";
    const auto nothing = [](const ProgramId&, GoalUnit, Millis, Millis) { return 0.0; };
    prices_.set_programs(set, nothing, Millis(kStartMs));
    store.add_observer(&price_);
    store.add_observer(&label_);
    store.add_observer(&segment_);
    if (!values) return;
    values_ = std::make_unique<ValueVariations>(ValueLearnerOptions{.enabled = true},
                                                ValueLearnerOptions{}, Millis(0));
    value_ = std::make_unique<ValueObserver>(store, *values_, Millis(3'000), 0.6F);
    store.add_observer(value_.get());
  }

  // The engine has answered the requests of these events.
  void answered(const Round& round) {
    EventDecoder decoder;
    for (const LogRecord& record : round.records) {
      Interaction event;
      CHECK(decoder.decode_record(record, event).empty());
      SlateBook::Slate slate;
      slate.organic = {{hash64(event.item_id), 0.5}};
      slates_.put(request_hash(event.user_id, event.request_id), slate, Millis(kStartMs));
    }
  }

 private:
  PriceController prices_{{}, make_price_law({})};
  SlateBook slates_{2 * round_records(), kDay};
  CalibrationLearner calibration_{{}};
  PriceObserver price_{prices_};
  LabelObserver label_{slates_, calibration_};
  SegmentRates segments_{{}};
  SegmentObserver segment_{segments_};
  std::unique_ptr<ValueVariations> values_;
  std::unique_ptr<ValueObserver> value_;
};

void fold_round(Fold& fold, const Round& round) {
  for (std::span<const LogRecord> rest = round.records; !rest.empty();) {
    const auto polled = rest.first(std::min(kPolled, rest.size()));
    fold.expect(polled);
    for (const LogRecord& record : polled) CHECK(fold.interaction(record).empty());
    rest = rest.subspan(polled.size());
  }
}

struct Whole {
  double ns = 0, bytes = 0;
};

Whole fold_all(World& world, ContentType content, Learning learning) {
  FeatureStore store({}, world.interner, world.catalogue, world.keys);
  std::unique_ptr<Learners> learners;
  fill(world, store);
  if (learning != Learning::kNone) {
    learners = std::make_unique<Learners>(store, learning == Learning::kAll);
  }
  Deduplicator dedup("ev");
  Fold fold(
      store, {&dedup}, [](const CatalogueChange&) { return Status(); }, FoldOptions{});
  Stream stream(world);
  int64_t spent_ns = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < rounds(); ++i) {
    const Round round = stream.round(content);
    for (const std::string& value : round.values) bytes += value.size();
    if (learners) learners->answered(round);
    const int64_t begin = thread_cpu_ns();
    fold_round(fold, round);
    spent_ns += thread_cpu_ns() - begin;
  }
  const auto records = static_cast<double>(rounds() * round_records());
  CHECK(fold.counters().applied == rounds() * round_records());
  return {static_cast<double>(spent_ns) / records, static_cast<double>(bytes) / records};
}

using Work = std::function<void(const Interaction&)>;

// The mean time of `work` over the decoded events of some rounds, without the decoding.
double part_ns(World& world, const Work& work) {
  Stream stream(world);
  int64_t spent_ns = 0;
  for (size_t i = 0; i < rounds(); ++i) {
    Round round = stream.round(ContentType::kProtobuf);
    for (const LogRecord& record : round.records) {
      round.decoders.push_back(std::make_unique<EventDecoder>());
      Interaction event;
      CHECK(round.decoders.back()->decode_record(record, event).empty());
      round.events.push_back(event);
    }
    const int64_t begin = thread_cpu_ns();
    for (const Interaction& event : round.events) work(event);
    spent_ns += thread_cpu_ns() - begin;
  }
  return static_cast<double>(spent_ns) / static_cast<double>(rounds() * round_records());
}

double decode_ns(World& world, ContentType content) {
  Stream stream(world);
  EventDecoder decoder;
  int64_t spent_ns = 0;
  for (size_t i = 0; i < rounds(); ++i) {
    const Round round = stream.round(content);
    const int64_t begin = thread_cpu_ns();
    for (const LogRecord& record : round.records) {
      Interaction event;
      CHECK(decoder.decode_record(record, event).empty());
    }
    spent_ns += thread_cpu_ns() - begin;
  }
  return static_cast<double>(spent_ns) / static_cast<double>(rounds() * round_records());
}

void row(const char* name, double ns) { std::printf("| %-38s | %6.0f |\n", name, ns); }

void print_parts(World& world) {
  Deduplicator dedup("ev");
  row("deduplication", part_ns(world, [&](const Interaction& event) {
        const uint64_t hash = hash_combine(hash64(event.user_id), hash64(event.event_id));
        CHECK(dedup.insert(hash, event.ts, event.ts));
      }));
  const auto keys = world.keys.get();
  row("token (one event in twenty)", part_ns(world, [&](const Interaction& event) {
        if (event.token.empty()) return;
        CHECK(keys->verify(event.token, event.user_id, event.item_id, event.request_id, event.ts,
                           event.type)
                  .verdict == TokenVerdict::kValid);
      }));
  {
    ViewerTable viewers;
    for (size_t i = 0; i < viewers_total(); ++i) {
      viewers.update(viewer_name(i), [](PackedProfile& profile) { profile.events = 0; });
    }
    row("viewer profile", part_ns(world, [&](const Interaction& event) {
          const ItemIndex item = world.interner.find(event.item_id);
          viewers.update(event.user_id, [&](PackedProfile& profile) {
            apply_to_profile(profile, event, item, world.catalogue.at(item));
          });
        }));
  }
  Counts counts;
  counts.served = 1;
  ItemState items({}, world.interner);
  row("item counters", part_ns(world, [&](const Interaction& event) {
        items.add(world.interner.find(event.item_id), event.ts, event.ts, counts);
      }));
  ExposureRollups rollups({}, world.interner);
  counts.viewable = 1;
  row("exposure rollups", part_ns(world, [&](const Interaction& event) {
        rollups.add({.item = world.interner.find(event.item_id),
                     .ts = event.ts,
                     .surface = event.surface,
                     .user_hash = hash64(event.user_id),
                     .counts = counts,
                     .token = nullptr,
                     .program_viewable = {}},
                    event.ts);
      }));
}

void print_results(World& world) {
  ExperimentTally tally({.viewers_max = viewers_total()});
  const TrialCounts one{1};  // impression
  const auto work = [&](const Interaction& event) {
    const uint64_t viewer = hash64(event.user_id);
    if (tally.knows(viewer)) tally.add(viewer, event.ts, one);
  };
  row("results, with nobody in an experiment", part_ns(world, work));
  for (size_t i = 0; i < viewers_total(); ++i) {
    tally.expose(hash64(viewer_name(i)), {"a", "more", 1, Millis(kStartMs)},
                 [] { return ViewerRates(); });
  }
  row("results, with every viewer in one", part_ns(world, work));
}

void figure(const char* name, const Whole& whole, int target) {
  std::printf("figure %-24s %9.0f events/s (target %d; %.0f bytes each)\n", name, 1e9 / whole.ns,
              target, whole.bytes);
}

void run() {
  World world;
  std::printf("decode + fold without the log, %zu viewers, %zu items, one core\n", viewers_total(),
              kItems);
  const auto fold = [&](ContentType content, Learning learning) {
    return fold_all(world, content, learning);
  };
  const Whole json = fold(ContentType::kJson, Learning::kNone),
              json_learning = fold(ContentType::kJson, Learning::kPrices),
              json_values = fold(ContentType::kJson, Learning::kAll),
              protobuf = fold(ContentType::kProtobuf, Learning::kNone),
              protobuf_learning = fold(ContentType::kProtobuf, Learning::kPrices);
  figure("fold_json", json, 700'000);
  figure("fold_json_learners", json_learning, 700'000);
  figure("fold_json_all_learners", json_values, 150'000);
  figure("fold_protobuf", protobuf, 1'000'000);
  figure("fold_protobuf_learners", protobuf_learning, 1'000'000);
  std::printf("| %-38s | %6s |\n|%s|%s|\n", "where the time goes", "ns",
              std::string(40, '-').c_str(), std::string(8, '-').c_str());
  row("JSON, all of it", json.ns);
  row("protobuf, all of it", protobuf.ns);
  row("the learners, with JSON", json_learning.ns - json.ns);
  row("the learners, with protobuf", protobuf_learning.ns - protobuf.ns);
  row("the value models, with JSON", json_values.ns - json_learning.ns);
  row("decode JSON", decode_ns(world, ContentType::kJson));
  row("decode protobuf", decode_ns(world, ContentType::kProtobuf));
  print_parts(world);
  print_results(world);
}

}  // namespace
}  // namespace shanhuo

int main() { shanhuo::run(); }
