#include "serving/ledger_verbs.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>

#include "base/json_writer.h"
#include "features/ledger_verify.h"
#include "serving/api_client.h"
#include "serving/ledger_lines.h"
#include "serving/operator_verbs.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr FlagSpec kFlags[] = {
    {"file", FlagSpec::Kind::kText, "EXPORT", "verify: this export; no engine is asked"},
    {"entry", FlagSpec::Kind::kInteger, "N", "verify: this entry alone; ls: from this entry on"},
    {"key", FlagSpec::Kind::kText, "HEX", "verify: the public key that must have signed"},
};
constexpr std::string_view kAllowed = "verify | ls | export";
constexpr size_t kShown = 20;  // entries of ls

using TakeLine = std::function<Status(std::string_view line)>;

// All lines of a running engine's ledger.
Status each_line(ApiClient& client, const TakeLine& take) {
  for (uint64_t cursor = 0;;) {
    const Result<std::string> page =
        client.call("GET", "/v1/ledger?format=ndjson&cursor=" + std::to_string(cursor));
    if (!page.ok()) return page.error();
    std::string_view rest = page.value();
    bool ended = false;
    const uint64_t before = cursor;
    while (!rest.empty() && !ended) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      const Status taken = take(line);
      if (!taken.ok()) return taken;
      ended = line.starts_with("{\"head\":");
      if (line.starts_with("{\"n\":")) ++cursor;
    }
    if (ended) return {};
    if (cursor == before) return Error{ErrorCode::kCorrupt, "the engine's ledger has no end"};
  }
}

Status each_line(const std::string& path, const TakeLine& take) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be opened"};
  std::string line;
  while (std::getline(file, line)) {
    if (file.eof()) return Error{ErrorCode::kCorrupt, "the last line does not end"};
    const Status taken = take(line);
    if (!taken.ok()) return taken;
  }
  if (file.bad()) return Error{ErrorCode::kIo, path + ": cannot be read"};
  return {};
}

int report(const CliArguments& arguments, const LedgerVerifier& verifier,
           const std::string& shown) {
  if (arguments.json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.field("ok", true);
    json.field("entries", verifier.entries());
    json.field("checkpoints", verifier.checkpoints());
    json.field("sealed", verifier.sealed());
    json.field("head", to_hex(verifier.head()));
    json.field("public_key", verifier.public_key());
    if (!shown.empty()) json.field("entry", shown);
    json.end_object();
    std::printf("%s\n", out.c_str());
    return kExitDone;
  }
  std::printf("ok: %s entries follow from each other, %s of them under %s signed checkpoints\n",
              with_separators(verifier.entries()).c_str(),
              with_separators(verifier.sealed()).c_str(),
              with_separators(verifier.checkpoints()).c_str());
  std::printf("head        %s\npublic key  %s\n", to_hex(verifier.head()).c_str(),
              verifier.public_key().c_str());
  if (!shown.empty()) std::printf("%s\n", shown.c_str());
  return kExitDone;
}

// The whole ledger; with --entry, that line of it is shown as well.
int verify_all(const CliArguments& arguments, const std::function<Status(const TakeLine&)>& all) {
  LedgerVerifier verifier(arguments.text("key"));
  std::string wanted, shown;
  if (arguments.given("entry")) {
    wanted = "{\"n\":" + std::to_string(arguments.integer("entry")) + ",";
  }
  const auto take = [&](std::string_view line) -> Status {
    const Status good = verifier.line(line);
    if (good.ok() && !wanted.empty() && line.starts_with(wanted)) shown = line;
    return good;
  };
  const Status read = all(take);
  if (!read.ok()) return fail(arguments, read.error());
  if (const Status whole = verifier.finish(); !whole.ok()) return fail(arguments, whole.error());
  if (!wanted.empty() && shown.empty()) {
    return fail(arguments, Error{ErrorCode::kNotFound, "the ledger has no such entry"});
  }
  return report(arguments, verifier, shown);
}

// What the engine's proof of one entry says.
Result<LedgerProof> read_proof(json::Value value, std::string_view wanted_key, std::string& key) {
  LedgerProof proof;
  std::string_view line, checkpoint, named;
  const bool texts = value.find("line").get(line) && value.find("checkpoint").get(checkpoint) &&
                     value.find("public_key").get(named);
  if (!texts) return Error{ErrorCode::kCorrupt, "the engine's answer is no proof"};
  for (const json::Value hash : value.find("path").elements()) {
    std::string_view hex;
    if (!hash.get(hex) || !from_hex(hex, proof.path.emplace_back())) {
      return Error{ErrorCode::kCorrupt, "the engine's answer is no proof"};
    }
  }
  proof.line = line;
  proof.checkpoint = checkpoint;
  key = named;
  if (!wanted_key.empty() && key != wanted_key) {
    return Error{ErrorCode::kCorrupt, "the ledger is signed by another key"};
  }
  return proof;
}

int verify_entry(const CliArguments& arguments, ApiClient& client) {
  const std::string entry = std::to_string(arguments.integer("entry"));
  const Result<std::string> answer = client.call("GET", "/v1/ledger/" + entry + "/proof");
  if (!answer.ok()) return fail(arguments, answer.error());
  json::Document document;
  const Result<json::Value> value = document.parse(answer.value());
  if (!value.ok()) return fail(arguments, value.error().within("the engine's answer"));
  std::string key;
  const Result<LedgerProof> proof = read_proof(value.value(), arguments.text("key"), key);
  if (!proof.ok()) return fail(arguments, proof.error());
  if (ledger_number(proof.value().line, "n") != arguments.integer("entry")) {
    return fail(arguments, Error{ErrorCode::kCorrupt, "the proof is of another entry"});
  }
  const Status good = check_proof(proof.value(), key);
  if (!good.ok()) return fail(arguments, good.error());
  if (arguments.json) {
    std::printf("%s\n", answer.value().c_str());
    return kExitDone;
  }
  std::printf(
      "ok: entry %s is under checkpoint %lld, %zu hashes below its signed root\n", entry.c_str(),
      static_cast<long long>(ledger_number(proof.value().checkpoint, "checkpoint").value_or(-1)),
      proof.value().path.size());
  std::printf("public key  %s\n%s\n", key.c_str(), proof.value().line.c_str());
  return kExitDone;
}

std::string entries_text(json::Value page) {
  std::string out;
  for (const json::Value entry : page.find("entries").elements()) {
    JsonWriter json(out);
    json::write(json, entry);
    out += "\n";
  }
  return out.empty() ? "no entries\n" : out;
}

}  // namespace

const std::span<const FlagSpec> kLedgerFlags = kFlags;

int ledger_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  if (what == "verify" && arguments.given("file")) {
    return verify_all(
        arguments, [&](const TakeLine& take) { return each_line(arguments.text("file"), take); });
  }
  if (what == "ls") {
    const int64_t first = arguments.given("entry") ? arguments.integer("entry") : 0;
    return show(arguments, "GET",
                "/v1/ledger?limit=" + std::to_string(kShown) +
                    "&cursor=" + std::to_string(std::max<int64_t>(0, first)),
                "", entries_text);
  }
  if (what != "verify" && what != "export") {
    return bad_usage(arguments, "'" + what + "' is not allowed; allowed: " + std::string(kAllowed));
  }
  Result<ApiClient> client = ApiClient::open(arguments);
  if (!client.ok()) return bad_usage(arguments, client.error().message);
  if (what == "verify" && arguments.given("entry")) return verify_entry(arguments, client.value());
  const auto all = [&](const TakeLine& take) { return each_line(client.value(), take); };
  if (what == "verify") return verify_all(arguments, all);
  const Status done = all([](std::string_view line) -> Status {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    return {};
  });
  return done.ok() ? kExitDone : fail(arguments, done.error());
}

}  // namespace shanhuo
