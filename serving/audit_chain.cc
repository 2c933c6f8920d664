// The walk keeps the hashes that the next line may continue: the newest line's, and after something
// wrong also those before it. So a line that was flipped, added, removed or moved is named once,
// and not again by each line behind it.
//
// Tested by tests/serving_audit_chain_test.cc: every byte of a book flipped, every line removed,
// copied and swapped.
#include "serving/audit_chain.h"

#include <algorithm>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/config_store.h"
#include "features/digest.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr size_t kDigits = 64;
constexpr std::string_view kHash = ",\"hash\":\"", kPrev = ",\"prev\":\"", kEnd = "\"}";
constexpr size_t kTail = kHash.size() + kDigits + kEnd.size();
constexpr size_t kFileBytesMax = 1u << 30;
constexpr int kReadTries = 5;

bool is_hash(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// A cut line has no whole hash; one that has was given other bytes behind it.
bool was_cut(std::string_view line) {
  const size_t at = line.rfind(kHash);
  return at == line.npos || line.size() < at + kTail;
}

class Walk {
 public:
  Walk(const std::optional<AuditHead>& head, AuditReport& report) : head_(head), report_(report) {}

  void file(const std::string& name, std::string_view text, const AuditHead::File* known,
            bool newest) {
    name_ = &name;
    text_ = text;
    known_ = known;
    begun_ = false;
    uint64_t number = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const std::string_view line = text.substr(at, std::min(end, text.size()) - at);
      ++number;
      const bool whole = end != text.npos || parse_chained(line);
      if (whole) {
        this->line(line, number, at);
      } else if (newest && was_cut(line)) {
        report_.torn = true;
      } else {
        wrong(number, "does not end where its hash does");
      }
      at = std::min(end, text.size() - 1) + 1;
    }
    last_number_ = number;
    if (!begun_ && known != nullptr && !known->begins.empty()) {
      wrong(number + 1, "is missing, and all after it");
    }
  }

  // Whether the newest line is the one that the head names, or the one behind it.
  void finish(const std::string& head_file) {
    if (report_.lines == 0 && !head_) return;
    if (!head_) {
      if (report_.lines > 1) report_.wrong.push_back({head_file, 0, "is missing, or no head"});
      return;
    }
    if (head_->ends == report_.ends || head_->ends == computed_ || head_->ends == prev_) return;
    wrong(last_number_ + 1, "is missing: " + head_file + " names a newer line than those here");
  }

 private:
  void wrong(uint64_t number, std::string what) {
    if (report_.wrong.size() < kAuditProblemsMax) {
      report_.wrong.push_back({*name_, static_cast<size_t>(number), std::move(what)});
    }
  }

  void line(std::string_view line, uint64_t number, size_t at) {
    const std::optional<ChainedLine> chained = parse_chained(line);
    if (!chained) {
      const bool past = report_.lines == 0 && (!known_ || number <= known_->unchained);
      if (past) {
        ++report_.unchained;
      } else {
        wrong(number, "carries no chain: it was added or changed");
        doubt_ = true;
      }
      return;
    }
    computed_ = sha256_hex(chained->content);
    if (computed_ != chained->hash) {
      wrong(number, "is not what its hash says: it was changed");
      if (!begun_) first(*chained, number, at, false);
      accept_.insert(accept_.end(), {std::string(chained->hash), computed_});
    } else if (!begun_ ? !first(*chained, number, at, true) : !continues(chained->prev)) {
      wrong(number, "does not continue the line before it: lines were removed, added or moved");
      accept_.emplace_back(chained->hash);
    } else {
      if (accept_.empty() || accept_.back() == chained->prev) accept_.clear();
      accept_.emplace_back(chained->hash);
    }
    begun_ = true;
    ++report_.lines;
    report_.ends = chained->hash;
    prev_ = chained->prev;
  }

  bool continues(std::string_view prev) {
    const bool doubted = std::exchange(doubt_, false);
    return doubted || std::find(accept_.begin(), accept_.end(), prev) != accept_.end();
  }

  // The first chained line of a file: where the head says that it begins, and behind what stands
  // before it.
  bool first(const ChainedLine& chained, uint64_t number, size_t at, bool whole) {
    if (known_ && number <= known_->unchained) wrong(number, "is chained, unlike what was here");
    if (known_ && number > known_->unchained + 1) return true;  // said of the lines before it
    if (report_.lines > 0) return continues(chained.prev);
    if (number > 1 && whole && chained.prev != sha256_hex(text_.substr(0, at))) {
      wrong(number - 1, "or a line before it was changed since the chain began");
      return true;
    }
    if (known_ && !known_->begins.empty()) return chained.prev == known_->begins;
    return true;
  }

  const std::optional<AuditHead>& head_;
  AuditReport& report_;
  const std::string* name_ = nullptr;
  std::string_view text_;
  const AuditHead::File* known_ = nullptr;  // nullptr: nothing is known of this file
  bool begun_ = false;                      // a chained line of this file has been seen
  bool doubt_ = false;                      // the line before had no chain to continue
  std::vector<std::string> accept_;         // what the next line may continue; the newest is last
  std::string computed_, prev_;             // of the newest line
  uint64_t last_number_ = 0;
};

Result<std::string> text_or_empty(const std::string& path, bool& there) {
  Result<std::string> text = read_text_file(path, kFileBytesMax);
  there |= text.ok();
  if (text.ok() || text.error().code != ErrorCode::kNotFound) return text;
  return std::string();
}

std::optional<std::string> head_of(const std::string& path) {
  Result<std::string> text = read_text_file(path + ".head", kFileBytesMax);
  if (!text.ok()) return std::nullopt;
  return std::move(text).value();
}

}  // namespace

const std::string& audit_beginning() {
  static const std::string kZeros(kDigits, '0');
  return kZeros;
}

std::optional<ChainedLine> parse_chained(std::string_view line) {
  if (line.size() < kTail + kPrev.size() + kDigits + 1) return std::nullopt;
  ChainedLine parts;
  parts.content = line.substr(0, line.size() - kTail);
  const std::string_view tail = line.substr(parts.content.size());
  parts.hash = tail.substr(kHash.size(), kDigits);
  const size_t prev = parts.content.size() - 1 - kDigits;
  parts.prev = parts.content.substr(prev, kDigits);
  const bool good = tail.starts_with(kHash) && tail.ends_with(kEnd) && is_hash(parts.hash) &&
                    is_hash(parts.prev) && parts.content.back() == '"' &&
                    parts.content.substr(0, prev).ends_with(kPrev);
  if (!good) return std::nullopt;
  return parts;
}

std::string chained_line(std::string content) {
  const std::string hash = sha256_hex(content);
  return std::move(content.append(kHash).append(hash).append(kEnd).append("\n"));
}

std::string audit_head_text(const AuditHead& head) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("ends", head.ends);
  for (const auto& [name, file] : {std::pair("current", &head.current), {"older", &head.older}}) {
    json.key(name);
    json.begin_object();
    json.field("begins", file->begins);
    json.field("unchained", file->unchained);
    json.end_object();
  }
  json.end_object();
  return out + "\n";
}

std::optional<AuditHead> parse_audit_head(std::string_view text) {
  json::Document document;
  const Result<json::Value> value = document.parse(text);
  if (!value.ok()) return std::nullopt;
  AuditHead head;
  std::string_view ends;
  bool good = value.value().find("ends").get(ends);
  head.ends = ends;
  for (const auto& [name, file] : {std::pair("current", &head.current), {"older", &head.older}}) {
    std::string_view begins;
    const json::Value part = value.value().find(name);
    good = good && part.find("begins").get(begins) && part.find("unchained").get(file->unchained);
    file->begins = begins;
  }
  if (!good) return std::nullopt;
  return head;
}

AuditReport verify_audit_texts(const std::string& path, std::string_view older,
                               std::string_view current,
                               const std::optional<std::string>& head_text) {
  AuditReport report;
  const std::optional<AuditHead> head = head_text ? parse_audit_head(*head_text) : std::nullopt;
  Walk walk(head, report);
  const std::string older_name = path + ".1";
  const AuditHead::File* of_older = head ? &head->older : nullptr;
  const AuditHead::File* of_current = head ? &head->current : nullptr;
  // A crash between the new file's name and the head: the head still calls the older one current.
  const bool renamed = current.empty() && head && !older.empty();
  walk.file(older_name, older, renamed ? of_current : of_older, renamed);
  if (!renamed) walk.file(path, current, of_current, true);
  walk.finish(path + ".head");
  return report;
}

// The head before and after the files: an engine that writes meanwhile is read again.
Result<AuditReport> verify_audit(const std::string& path) {
  for (int tries = 1;; ++tries) {
    const std::optional<std::string> head = head_of(path);
    bool there = false;
    const Result<std::string> older = text_or_empty(path + ".1", there);
    if (!older.ok()) return older.error();
    const Result<std::string> current = text_or_empty(path, there);
    if (!current.ok()) return current.error();
    if (!there) return Error{ErrorCode::kNotFound, path + ": there is no such file"};
    if (head_of(path) != head && tries < kReadTries) continue;
    return verify_audit_texts(path, older.value(), current.value(), head);
  }
}

}  // namespace shanhuo
