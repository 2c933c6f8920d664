// The thread that does what may take seconds: it builds what requests find items by (the index of
// each new world, and, when another model is wanted, world and index of that), and looks at the
// guardrails of experiments.
#include <chrono>
#include <cstdio>
#include <utility>

#include "models/dense.h"
#include "serving/engine.h"

namespace shanhuo {
namespace {

constexpr Millis kPopularPeriod{5'000};

}  // namespace

void Engine::build_indexes() {
  std::shared_ptr<const World> built;
  Millis built_at{0};
  std::unique_lock lock(stop_mutex_);
  do {
    const auto wanted = std::exchange(wanted_model_, std::nullopt);
    lock.unlock();
    if (wanted) swap_model(*wanted);
    watch_->guard();
    const std::shared_ptr<const World> world = world_.get();
    if (world != built || built_at + kPopularPeriod <= clock_.now()) {
      retriever_.refresh(world, *features_, &segments_);
      const RecallWatch::Recall recall = retriever_.watched_recall();
      metrics_.retrieval_wanted.add(recall.wanted);
      metrics_.retrieval_found.add(recall.found);
      built = world;
      built_at = clock_.now();
      indexed_.set(world);
    }
    lock.lock();
    if (wanted) model_signal_.notify_all();
  } while (!stop_signal_.wait_for(lock, kUpkeepPeriod, [this] { return stopping_; }));
}

// What takes long is made aside, while requests go on with the world and the index that there are.
// Between the two assignments at the end a request finds the index of another model than its world
// has, and goes without its nearest items.
void Engine::swap_model(const std::shared_ptr<const VectorModel>& model) {
  const std::shared_ptr<const World> next = with_model(*world_.get(), model);
  retriever_.refresh(next, *features_, &segments_);
  const std::lock_guard lock(world_mutex_);
  publish_world(next);
}

// Fail open: an engine whose model is damaged ranks by text.
void Engine::load_model() {
  use_calling_thread();  // requests solve viewers; BLAS shall not bring threads of its own
  const Result<std::string> chosen = models_.chosen();
  const auto model = chosen.ok() ? models_.load(chosen.value())
                                 : Result<std::shared_ptr<const VectorModel>>(chosen.error());
  if (model.ok()) {
    world_.set(with_model(*world_.get(), model.value()));
  } else {
    model_refused_ = model.error().message;
    std::fprintf(stderr, "models: vectors from text serve: %s\n", model_refused_.c_str());
  }
}

Result<bool> Engine::use_model(const std::string& version, const std::string& who) {
  const std::lock_guard one_at_a_time(use_model_mutex_);
  const auto model = models_.load(version);
  if (!model.ok()) return model.error();
  const std::string from(model_version(*world_.get()));
  const Status noted = changes_->append({clock_.now(), who, "model", "current",
                                         "version: " + from + " -> " + version, from, version});
  if (!noted.ok()) return noted.error();
  if (const Status kept = models_.choose(version); !kept.ok()) return kept.error();
  std::unique_lock lock(stop_mutex_);
  wanted_model_ = model.value();
  return model_signal_.wait_for(lock, std::chrono::milliseconds(options_.models.swap_wait_ms), [&] {
    return stopping_ || (!wanted_model_ && world_.get()->shared_model() == model.value());
  });
}

}  // namespace shanhuo
