// An engine in this process, spoken to as over HTTP: what a suite sends goes through the routes,
// access rules and codecs of HttpApi, without a socket. Its folder is temporary and gone with it.
// One caller at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "configs/engine_options.h"
#include "serving/access.h"
#include "serving/engine.h"
#include "serving/http_api.h"
#include "serving/temp_folder.h"

namespace shanhuo {

class DayEngine {
 public:
  // `programs`: (file name, YAML); `catalogue`: items, one a line. Blocks until pages are made from
  // all of them: the items are put, and the engine is started again.
  static Result<std::unique_ptr<DayEngine>> open(
      EngineOptions options, const std::vector<std::pair<std::string, std::string>>& programs,
      const std::string& catalogue);
  ~DayEngine();

  // The body of the answer; kInvalid with what it says unless that is 2xx.
  Result<std::string> call(std::string_view method, std::string_view target,
                           std::string_view body = {},
                           std::string_view content_type = "application/json");
  // Blocks until all of `accepted` events have been folded.
  Status folded(uint64_t accepted);
  Result<double> user_loss_ratio();

 private:
  Status start(const EngineOptions& options);
  Status put_items(const std::string& catalogue);
  // "/v1/stats", parsed into document_.
  Result<json::Value> stats();

  explicit DayEngine(TempFolder folder) : folder_(std::move(folder)) {}

  const TempFolder folder_;  // outlives the engine
  const WallClock clock_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<HttpApi> api_;
  json::Document document_;
};

}  // namespace shanhuo
