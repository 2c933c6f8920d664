// The HTTP API of contract 2: routes, who may take them, and the wire forms of what the engine
// answers. The table of routes in http_api.cc is the whole list; each group of handlers has a file
// of its own (api_*.cc).
//
// Thread-safe. Rank and events run on the server's threads and never wait; everything that waits or
// reports runs on the worker. Lives as long as the server that calls it.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serving/access.h"
#include "serving/config_body.h"
#include "serving/engine.h"
#include "serving/forecast.h"
#include "serving/http.h"
#include "serving/page_files.h"
#include "serving/problem.h"
#include "serving/rank_proto.h"
#include "serving/scratch_pool.h"
#include "serving/worker.h"
#include "streaming/codec.h"
#include "streaming/json.h"

namespace shanhuo {

class HttpApi {
 public:
  HttpApi(Engine& engine, const Access& access);

  void handle(HttpRequest&& request, Responder respond);

  // One request on its way through a handler.
  struct Call {
    HttpRequest request;
    Responder respond;
    Principal principal;
    std::vector<std::string> arguments;  // of the {} in the route's path, in order
  };
  struct Route {
    std::string_view method;
    std::string_view
        path;  // "/v1/items/{id}", "/v1/x/{id}:verb"; a last segment "*" takes the rest
    RouteClass access;
    bool waits;  // runs on the worker
    void (HttpApi::*handler)(Call&);
  };
  // For the test of every route by every role.
  static std::span<const Route> routes();

 private:
  struct Table;  // of the routes; handlers are private
  // api_rank.cc, api_events.cc
  void rank(Call& call);
  void post_events(Call& call);
  // api_items.cc
  void put_items(Call& call);
  void get_item(Call& call);
  void patch_item(Call& call);
  void delete_item(Call& call);
  void put_creators(Call& call);
  void put_block(Call& call);
  void delete_block(Call& call);
  void change_block(Call& call, bool blocked);
  void change(Call& call, const std::vector<CatalogueChange>& changes, std::string done);
  const CatalogueItem* find_item(const Catalogue& catalogue, std::string_view id) const;
  // api_exposure.cc
  void get_creator(Call& call);
  void get_exposure(Call& call);
  void get_board(Call& call);
  // api_models.cc
  void list_models(Call& call);
  void put_model(Call& call);
  // api_programs.cc
  void list_programs(Call& call);
  void get_program(Call& call);
  void list_parameters(Call& call);
  void show_program(Call& call, std::vector<std::string> warnings);
  // The program that the path names, or nothing after having answered 404.
  static std::optional<ProgramIndex> find_program(Call& call, const World& world);
  // api_forecast.cc
  void get_forecast(Call& call);
  void validate_program(Call& call);
  ProgramForecast forecast_of(const Program& program) const;
  std::vector<std::string> warnings_of_program(const std::string& id) const;
  // api_experiments.cc
  void list_experiments(Call& call);
  void get_experiment(Call& call);
  void show_experiment(Call& call);
  void get_experiment_history(Call& call);
  // api_results.cc
  void get_experiment_results(Call& call);
  void assign(Call& call);
  void sdk_features(Call& call);
  // api_config_writes.cc
  void put_program(Call& call);
  void patch_program(Call& call);
  void delete_program(Call& call);
  void put_experiment(Call& call);
  void patch_experiment(Call& call);
  void delete_experiment(Call& call);
  void revert_experiment(Call& call);
  void put_config(Call& call, ConfigKind kind);
  void patch_config(Call& call, ConfigKind kind);
  void delete_config(Call& call, ConfigKind kind);
  std::optional<ConfigBody> read_config(Call& call);
  void change_config(Call& call, ConfigKind kind, const ConfigEdit& edit, const ConfigBody& body);
  // api_safety.cc
  void approve_experiment(Call& call);
  void get_audit(Call& call);
  void get_boosting(Call& call);
  void put_boosting(Call& call);
  // api_dry_run.cc
  void dry_run(Call& call, ConfigKind kind);
  void dry_run_program(Call& call);
  void dry_run_experiment(Call& call);
  // api_impact.cc, api_giving.cc, api_ledger.cc
  void get_impact(Call& call);
  void list_causes(Call& call);
  void post_pledge(Call& call);
  void get_points(Call& call);
  void get_ledger(Call& call);
  void get_proof(Call& call);
  // api_session.cc
  void post_session(Call& call);
  void get_session(Call& call);
  void delete_session(Call& call);
  // api_people.cc
  // False after having answered that it cannot be recorded: then nobody gets to see it.
  bool note_read(Call& call, const std::string& what);
  void get_user(Call& call);
  void delete_user(Call& call);
  // api_status.cc
  void healthz(Call& call);
  void readyz(Call& call);
  void version(Call& call);
  void openapi(Call& call);
  void metrics(Call& call);
  void stats(Call& call);
  void post_backup(Call& call);
  // api_pages.cc
  void page(Call& call);
  void favicon(Call& call);

  // What a rank call may be.
  RankLimits rank_limits() const;
  // The rank call in either format, or false after having answered 400 or 422.
  bool read_rank_call(Call& call, const RankLimits& limits, json::Document& document,
                      RankProtoDecoder& decoder, RankCall& rank_call);
  // The body as JSON, or nothing after having answered 400.
  std::optional<json::Value> parse(Call& call, json::Document& document);

  Engine& engine_;
  const Access& access_;
  const PageFiles pages_;
  ScratchPool<EventDecoder> decoders_;
  ScratchPool<json::Document> documents_;
  ScratchPool<RankProtoDecoder> rank_decoders_;
  std::mutex catalogue_mutex_;  // one change at a time reads what it changes
  Worker worker_;               // last: its jobs use everything above
};

// 422 with every field.
HttpResponse unprocessable(const json::FieldErrors& errors);
HttpResponse json_answer(int status, std::string body);

}  // namespace shanhuo
