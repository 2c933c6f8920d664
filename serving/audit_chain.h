// What makes a book of changes (change_book.h) one that cannot be edited unseen: each line carries
// the SHA-256 of the line before it and its own, and a small file beside names where the chain
// begins and ends. Needs no engine.
//
//   line  = content ',"hash":"' HASH '"}' LF        HASH: 64 hex digits, SHA-256 of content
//   content = '{' members ',"prev":"' HASH '"'      prev: the hash of the line before it
//   PATH.head = {"ends": HASH of the newest line, "current": FILE, "older": FILE}
//   FILE  = {"begins": prev of its first chained line, or "", "unchained": lines before that}
//
// The first line of a new file continues the one before it (PATH.1). Lines that an older version
// has written, without a chain, stand first; then the first chained line's prev is the SHA-256 of
// all bytes before it in its file, so that they cannot be changed any more either. Otherwise the
// first prev is 64 zeros. The head is written behind each line: after a crash it may be one behind.
// A line without its LF at the end was cut by a crash: its change was not made.
//
// Who can write the files can write another chain from some line on, and another head: keep a hash
// of `shanhuo audit verify` elsewhere to notice that.
//
// Pure functions but for verify_audit(), which reads the three files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shanhuo {

// 64 zeros: before the first line of all.
const std::string& audit_beginning();

// A line without its LF, taken apart; borrows from it. nullopt: it carries no chain.
struct ChainedLine {
  std::string_view content, prev, hash;
};
std::optional<ChainedLine> parse_chained(std::string_view line);
// `content` as above, with the rest and the LF.
std::string chained_line(std::string content);

struct AuditHead {
  struct File {
    std::string begins;
    uint64_t unchained = 0;
  };
  File current, older;
  std::string ends;
};
std::string audit_head_text(const AuditHead& head);
std::optional<AuditHead> parse_audit_head(std::string_view text);

struct AuditProblem {
  std::string file;
  size_t line;  // from 1; 0: the file as a whole
  std::string what;
};

struct AuditReport {
  uint64_t lines = 0;               // that are chained
  uint64_t unchained = 0;           // before them
  bool torn = false;                // a crash has cut the last line
  std::string ends;                 // hash of the newest line; empty: there is none
  std::vector<AuditProblem> wrong;  // the first kAuditProblemsMax
};
inline constexpr size_t kAuditProblemsMax = 20;

// PATH.1, PATH and PATH.head, where they exist. `head_text`: nullopt without that file.
AuditReport verify_audit_texts(const std::string& path, std::string_view older,
                               std::string_view current,
                               const std::optional<std::string>& head_text);
// Also while an engine writes. kNotFound when there is neither PATH nor PATH.1; kIo.
Result<AuditReport> verify_audit(const std::string& path);

}  // namespace shanhuo
