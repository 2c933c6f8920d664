#include "serving/serve.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/durable_file.h"
#include "configs/engine_options.h"
#include "configs/program_check.h"
#include "configs/program_store.h"
#include "serving/access.h"
#include "serving/check_catalogue.h"
#include "serving/engine.h"
#include "serving/http_api.h"
#include "serving/http_client.h"
#include "serving/http_server.h"
#include "serving/member.h"
#include "serving/rebuild.h"
#include "serving/terminal.h"

namespace shanhuo {

EngineOptions read_options(const CliArguments& arguments, ConfigErrors& errors) {
  EngineOptions options;
  const Result<std::string> text = read_text_file(arguments.config_file);
  if (text.ok()) {
    read_engine_options(text.value(), arguments.config_file, options, errors);
  } else {
    errors.push_back({arguments.config_file, 0, 0, "", text.error().message});
  }
  for (const auto& [key, value] : arguments.settings) {
    std::string assignment = key;
    assignment += "=";
    assignment += value;
    set_engine_option(assignment, options, errors);
  }
  if (!arguments.listen.empty()) options.listen = arguments.listen;
  if (!arguments.data_dir.empty()) options.data_dir = arguments.data_dir;
  return options;
}

namespace {

constexpr FlagSpec kFlags[] = {
    {"catalogue", FlagSpec::Kind::kText, "DIR",
     "items.ndjson and creators.ndjson: warns of programs that name no item"},
};

std::string config_folder(const CliArguments& arguments) {
  const std::string folder = std::filesystem::path(arguments.config_file).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<HttpServerOptions> server_options(const EngineOptions& options) {
  const Result<Endpoint> endpoint = parse_endpoint(options.listen);
  if (!endpoint.ok()) return endpoint.error().within("listen");
  HttpServerOptions server;
  server.host = endpoint.value().host;
  server.port = endpoint.value().port;
  server.threads = options.http.threads;
  server.connections_max = static_cast<size_t>(options.http.connections_max);
  server.header_bytes_max = static_cast<size_t>(options.http.header_bytes_max);
  server.body_bytes_max = static_cast<size_t>(options.http.body_bytes_max);
  server.inflight_max = static_cast<size_t>(options.http.inflight_max);
  server.header_timeout_ms = options.http.header_timeout_ms;
  server.body_timeout_ms = options.http.body_timeout_ms;
  server.idle_timeout_ms = options.http.idle_timeout_ms;
  server.shutdown_grace_ms = options.http.shutdown_grace_ms;
  if (options.http.tls_certificate.empty() != options.http.tls_key.empty()) {
    return Error{ErrorCode::kInvalid, "http.tls_certificate and http.tls_key go together"};
  }
  if (!options.http.tls_key.empty()) {
    auto identity = TlsIdentity::load(options.http.tls_certificate, options.http.tls_key);
    if (!identity.ok()) return identity.error().within("http.tls");
    server.tls = std::move(identity).value();
  }
  return server;
}

void print(const ConfigErrors& errors) {
  for (const ConfigError& error : errors) std::fprintf(stderr, "%s\n", error.to_string().c_str());
}

int fail(const Error& error) {
  std::fprintf(stderr, "shanhuo: %s\n", error.message.c_str());
  return error.code == ErrorCode::kInvalid ? kExitUsage : kExitFailed;
}

void connect_metrics(Engine& engine, const HttpServer& server) {
  Metrics& metrics = engine.metrics();
  metrics.read_shed = [&server] { return server.stats().shed; };
  metrics.read_connections = [&server] { return server.stats().connections; };
  metrics.read_inflight = [&server] { return server.stats().inflight; };
  metrics.read_exposures_forgotten = [&engine] { return engine.ranker().exposures().forgotten(); };
  metrics.read_programs = [&engine] {
    std::vector<ProgramMetric> programs;
    for (const ProgramStatus& status : engine.prices().status(engine.time().now())) {
      const GoalStatus goal = status.goals.empty() ? GoalStatus{} : status.goals.front();
      programs.push_back({status.id, static_cast<uint64_t>(goal.delivered), goal.price});
    }
    return programs;
  };
}

// engine.yaml as it is on disk: what it holds is taken over when it changes, or refused.
class LiveOptions {
 public:
  LiveOptions(const CliArguments& arguments, EngineOptions options)
      : arguments_(arguments), options_(std::move(options)), text_(read().value_or("")) {}

  void take_over(Engine& engine) {
    std::optional<std::string> text = read();
    if (!text || *text == text_) return;  // gone for a moment: an editor is writing it
    text_ = std::move(*text);
    ConfigErrors errors;
    EngineOptions next = read_options(arguments_, errors);
    if (!errors.empty()) {
      std::fprintf(stderr, "%s: refused, the last good one stays:\n",
                   arguments_.config_file.c_str());
      print(errors);
      return;
    }
    engine.set_ranking(next.ranking);
    const std::vector<Option> now = option_table(options_), then = option_table(next);
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i].section == "ranking" || now[i].value() == then[i].value()) continue;
      std::fprintf(stderr, "%s: %s needs a restart\n", arguments_.config_file.c_str(),
                   now[i].name().c_str());
    }
  }

 private:
  std::optional<std::string> read() const {
    Result<std::string> text = read_text_file(arguments_.config_file);
    if (!text.ok()) return std::nullopt;
    return std::move(text).value();
  }

  const CliArguments& arguments_;
  EngineOptions options_;  // as the engine runs with
  std::string text_;
};

// SIGINT or SIGTERM came to a thread that is not ours to mask.
std::atomic<bool> asked_to_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// Blocks SIGINT and SIGTERM: before any thread starts, so that only wait_for_signal() sees them.
// But OpenBLAS has made a thread before main(); what it is given would end the process there and
// then.
sigset_t block_signals() {
  struct sigaction note {};
  note.sa_handler = [](int) { asked_to_stop.store(true); };
  note.sa_flags = SA_RESTART;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) {
    sigaddset(&signals, signal);
    sigaction(signal, &note, nullptr);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Waits for SIGINT or SIGTERM; meanwhile changed tokens, certificates and, by `look`, options come
// into force.
void wait_for_signal(const sigset_t& signals, Access& access, TlsIdentity* tls,
                     const std::function<void()>& look) {
  const auto say = [](const char* what, const Result<bool>& reloaded) {
    if (reloaded.ok()) return;
    std::fprintf(stderr, "%s: refused, the last good ones stay: %s\n", what,
                 reloaded.error().message.c_str());
  };
  const timespec period{0, 300'000'000};
  while (sigtimedwait(&signals, nullptr, &period) <= 0 && !asked_to_stop.load()) {
    look();
    say("tokens", access.reload_if_changed());
    if (tls != nullptr) say("certificates", tls->reload_if_changed());
  }
}

Status start(HttpServer& server, const HttpServerOptions& options) {
  const Status started = server.start();
  if (!started.ok()) return started;
  std::printf("ready: %s://%s:%u\n", options.tls == nullptr ? "http" : "https",
              options.host.c_str(), server.port());
  std::fflush(stdout);
  return {};
}

int serve_alone(const CliArguments& arguments, const EngineOptions& options,
                const HttpServerOptions& server_options, Access& access) {
  const sigset_t signals = block_signals();
  const WallClock clock;
  Result<std::unique_ptr<Engine>> engine = Engine::open(options, config_folder(arguments), clock);
  if (!engine.ok()) return fail(engine.error());
  HttpApi api(*engine.value(), access);
  HttpServer server(server_options, [&api](HttpRequest&& request, Responder respond) {
    api.handle(std::move(request), std::move(respond));
  });
  connect_metrics(*engine.value(), server);
  if (const Status status = start(server, server_options); !status.ok()) {
    return fail(status.error());
  }
  LiveOptions live(arguments, options);
  wait_for_signal(signals, access, server_options.tls.get(),
                  [&] { live.take_over(*engine.value()); });
  server.stop();
  engine.value()->stop();
  return kExitDone;
}

// One of several engines on this data folder (member.h): answers at once, leads when it is told to.
int serve_member(const CliArguments& arguments, const EngineOptions& options,
                 const HttpServerOptions& server_options, Access& access) {
  const sigset_t signals = block_signals();
  const WallClock clock;
  std::optional<Member> member;
  HttpServer server(server_options, [&member](HttpRequest&& request, Responder respond) {
    member->handle(std::move(request), std::move(respond));
  });
  MemberParts parts;
  parts.access = &access;
  parts.clock = &clock;
  parts.open_engine = [&](const std::string& state_folder, const std::string& counter_file,
                          CheckpointStore::Fence fence) {
    EngineOptions own = options;
    own.state_folder = state_folder;
    own.counter_file = counter_file;
    ConfigErrors errors;  // engine.yaml may have changed while it stood by
    const EngineOptions now = read_options(arguments, errors);
    if (errors.empty()) own.ranking = now.ranking;
    auto engine = Engine::open(own, config_folder(arguments), clock, std::move(fence));
    if (engine.ok()) connect_metrics(*engine.value(), server);
    return engine;
  };
  member.emplace(options, std::move(parts));
  if (const Status status = start(server, server_options); !status.ok()) {
    return fail(status.error());
  }
  member->start(server_options.host + ":" + std::to_string(server.port()));
  LiveOptions live(arguments, options);
  wait_for_signal(signals, access, server_options.tls.get(),
                  [&] { member->with_engine([&](Engine& engine) { live.take_over(engine); }); });
  server.stop();
  member->stop();
  return kExitDone;
}

// What an engine that stands by would otherwise find out when it has to lead.
Status check_member(const EngineOptions& options, const std::string& config_dir) {
  if (options.stream_kind != StreamKind::kKafka) {
    return Error{ErrorCode::kInvalid, "kafka.members: needs stream.kind: kafka"};
  }
  ProgramStore programs(config_dir + "/programs");
  programs.reload();
  std::string wrong;
  for (const ConfigError& error : programs.errors()) wrong += "\n" + error.to_string();
  if (wrong.empty()) return {};
  return Error{ErrorCode::kInvalid, "programs are wrong:" + wrong};
}

}  // namespace

const std::span<const FlagSpec> kCheckFlags = kFlags;

int serve_verb(const CliArguments& arguments) {
  ConfigErrors errors;
  const EngineOptions options = read_options(arguments, errors);
  if (!errors.empty()) {
    print(errors);
    return kExitUsage;
  }
  const Result<HttpServerOptions> server = server_options(options);
  if (!server.ok()) return fail(server.error());
  AccessOptions access_options;
  access_options.token_file = options.token_file;
  access_options.listen_host = server.value().host;
  access_options.session_length =
      Millis(static_cast<int64_t>(options.access.session_h * 3'600'000));
  access_options.sessions_max = static_cast<size_t>(options.access.sessions_max);
  const WallClock clock;
  Result<std::unique_ptr<Access>> access = Access::open(access_options, clock);
  if (!access.ok()) return fail(access.error());
  if (const Status status = access.value()->check_listen(server.value().tls != nullptr);
      !status.ok())
    return fail(status.error());
  const std::string warning = access.value()->permission_warning();
  if (!warning.empty()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (!options.kafka.members) {
    return serve_alone(arguments, options, server.value(), *access.value());
  }
  const Status checked = check_member(options, config_folder(arguments));
  if (!checked.ok()) return fail(checked.error());
  return serve_member(arguments, options, server.value(), *access.value());
}

int rebuild_verb(const CliArguments& arguments) {
  ConfigErrors errors;
  const EngineOptions options = read_options(arguments, errors);
  if (!errors.empty()) {
    print(errors);
    return kExitUsage;
  }
  const WallClock clock;
  const auto rebuilt = rebuild_state(options, config_folder(arguments), clock);
  if (!rebuilt.ok()) return fail(arguments, rebuilt.error());
  const RebuildSummary& summary = rebuilt.value();
  if (arguments.json) {
    std::printf("{\"records\":%s,\"viewers\":%s}\n", std::to_string(summary.records).c_str(),
                std::to_string(summary.viewers).c_str());
    return kExitDone;
  }
  std::printf("%s records folded in %s s: %s viewers\n", with_separators(summary.records).c_str(),
              format_fixed(summary.seconds, 2).c_str(), with_separators(summary.viewers).c_str());
  if (!summary.before.empty()) std::printf("the old state is in %s\n", summary.before.c_str());
  return kExitDone;
}

int check_verb(const CliArguments& arguments) {
  ConfigErrors errors;
  const EngineOptions options = read_options(arguments, errors);
  ProgramStore programs(config_folder(arguments) + "/programs");
  programs.reload();
  for (const ConfigError& error : programs.errors()) errors.push_back(error);
  MetricStore metrics(config_folder(arguments) + "/metrics");
  metrics.reload();
  for (const ConfigError& error : metrics.errors()) errors.push_back(error);
  ExperimentStore experiments(
      config_folder(arguments) + "/experiments", [&] { return options.ranking; },
      [&] { return metrics.current(); });
  experiments.reload();
  for (const ConfigError& error : experiments.errors()) errors.push_back(error);
  const BoostingSwitch boosting(config_folder(arguments) + "/boosting.yaml");
  for (const ConfigError& error : boosting.errors()) errors.push_back(error);
  GivingStore giving(config_folder(arguments) + "/giving");
  giving.reload();
  for (const ConfigError& error : giving.errors()) errors.push_back(error);
  for (const ConfigError& error : errors) std::printf("%s\n", error.to_string().c_str());
  if (!errors.empty()) return kExitUsage;
  ConfigErrors warnings = warnings_of(*programs.current(), WallClock().now());
  if (arguments.given("catalogue")) {
    const auto empty = warnings_of_catalogue(programs.current(), arguments.text("catalogue"));
    if (!empty.ok()) return fail(arguments, empty.error());
    warnings.insert(warnings.end(), empty.value().begin(), empty.value().end());
  }
  for (const ConfigError& warning : warnings) {
    std::printf("%s (warning)\n", warning.to_string().c_str());
  }
  std::printf("ok: %s, %zu programs, %zu experiments and %zu rules of giving\n",
              arguments.config_file.c_str(), programs.current()->programs.size(),
              experiments.current()->experiments().size(), giving.current()->rules.size());
  return kExitDone;
}

}  // namespace shanhuo
