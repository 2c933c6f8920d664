#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/durable_file.h"
#include "configs/program_store.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

class ProgramStoreTest : public testing::Test {
 protected:
  static std::string program(const std::string& id, const std::string& more = "") {
    return "id: " + id + "\n" + more +
           "items: {}\nsurfaces: [feed]\n"
           "schedule: {start: 2026-01-01T00:00:00Z, end: 2026-01-02T00:00:00Z}\n"
           "goals: [{unit: click, at_least: 1, missed_value_fen: 2}]  # 目标\n";
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(path(name), text).ok());
  }
  std::string text(const std::string& name) const { return read_text_file(path(name)).value(); }

  // Ids of the live set, in its order.
  std::string live() const {
    std::string out;
    for (const auto& p : store_.current()->programs) out += p->id.str() + " ";
    return out;
  }
  std::string errors() const {
    std::string out;
    for (const ConfigError& error : store_.errors()) {
      out += error.to_string().substr(path("").size()) + "\n";
    }
    return out;
  }
  std::string revision(const std::string& id) const {
    const auto set = store_.current();
    return set->programs[static_cast<size_t>(set->find(id))]->revision;
  }
  bool enabled(const std::string& id) const {
    const auto set = store_.current();
    return set->programs[static_cast<size_t>(set->find(id))]->enabled;
  }

  Status set_enabled(const std::string& id, bool enabled,
                     const std::optional<std::string>& if_revision) {
    return write_program(id, program_patch(Value::Object{{"enabled", enabled}}), if_revision);
  }
  Status write_program(const std::string& id, const ConfigEdit& edit,
                       const std::optional<std::string>& if_revision = std::nullopt) {
    wrong_.clear();
    const Result<ConfigChange> change = store_.write(id, edit, if_revision, journal(), wrong_);
    return change.ok() ? Status() : change.error();
  }
  ConfigJournal journal() {
    return [this](const ConfigChange& change) -> Status {
      journal_ += change.id + " " + change.from + " " + change.to + "\n";
      return {};
    };
  }
  std::string wrong() const {
    std::string out;
    for (const ConfigError& error : wrong_) out += error.key + ": " + error.message + "\n";
    return out;
  }

  ConfigErrors wrong_;
  std::string journal_;
  TempDir folder_;
  ProgramStore store_{folder_ / ""};
};

TEST_F(ProgramStoreTest, AMissingFolderHasNoPrograms) {
  ProgramStore store(folder_ / "nowhere");
  EXPECT_TRUE(store.reload());
  EXPECT_TRUE(store.current()->programs.empty());
  EXPECT_TRUE(store.errors().empty());
  EXPECT_FALSE(store.reload());
}

TEST_F(ProgramStoreTest, ReadsOnlyWhenSomethingChanged) {
  write("a.yaml", program("a"));
  EXPECT_TRUE(store_.reload());
  const auto first = store_.current();
  EXPECT_FALSE(store_.reload());
  EXPECT_EQ(store_.current(), first);
  write("b.yaml", program("b"));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "a b ");
  EXPECT_NE(store_.current()->version, first->version);
  fs::remove(path("a.yaml"));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "b ");
}

TEST_F(ProgramStoreTest, SeesAReplacementOfTheSameSizeAndTime) {
  write("a.yaml", program("a", "priority: 1\n"));
  ASSERT_TRUE(store_.reload());
  const auto time = fs::last_write_time(path("a.yaml"));
  write("a.yaml", program("a", "priority: 2\n"));
  fs::last_write_time(path("a.yaml"), time);
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(store_.current()->programs[0]->priority, 2);
}

TEST_F(ProgramStoreTest, TheVersionTellsTheContentsNotTheTimes) {
  write("a.yaml", program("a"));
  store_.reload();
  const std::string version = store_.current()->version;
  write("a.yaml", program("a", "# changed\n"));
  store_.reload();
  EXPECT_NE(store_.current()->version, version);
  write("a.yaml", program("a"));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(store_.current()->version, version);
}

TEST_F(ProgramStoreTest, OtherFilesAreLeftAlone) {
  write("a.yaml", program("a"));
  write("a.yaml.orig", "broken: [");
  write("README.md", "# no program");
  write(".hidden", "x");
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "a ");
}

TEST_F(ProgramStoreTest, ConflictsResolveByUrgencyThenPriorityThenId) {
  write("1.yaml", program("d", "priority: 5\n"));
  write("2.yaml", program("c", "priority: 5\n"));
  write("3.yaml", program("e", "priority: 900\n"));
  write("4.yaml", program("z", "urgent: true\n"));
  write("5.yaml", program("y", "urgent: true\npriority: 1\n"));
  write("6.yaml", program("b"));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "y z e c d b ");
}

TEST_F(ProgramStoreTest, TheLastGoodSetStaysWhileAFileIsBroken) {
  write("a.yaml", program("a"));
  store_.reload();
  write("a.yaml", program("a", "priority: 7\n"));
  write("b.yaml", program("b", "priority: high\n"));
  write("c.yaml", "id: [\n");
  EXPECT_FALSE(store_.reload());
  EXPECT_EQ(live(), "a ");
  EXPECT_EQ(store_.current()->programs[0]->priority, 0);
  EXPECT_NE(errors().find("b.yaml:2:11: priority: high must be an integer\n"), std::string::npos);
  EXPECT_NE(errors().find("c.yaml:"), std::string::npos);
  EXPECT_FALSE(store_.reload());
  EXPECT_NE(errors(), "");

  write("b.yaml", program("b"));
  fs::remove(path("c.yaml"));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "a b ");
  EXPECT_EQ(store_.current()->programs[0]->priority, 7);
  EXPECT_EQ(errors(), "");
}

TEST_F(ProgramStoreTest, TwoFilesCannotHaveOneId) {
  write("a.yaml", program("same"));
  write("b.yaml", program("same"));
  EXPECT_FALSE(store_.reload());
  EXPECT_EQ(errors(), "b.yaml: id: same is the id of " + path("a.yaml") + " already\n");
  EXPECT_EQ(live(), "");
}

TEST_F(ProgramStoreTest, AFileThatIsTooLargeIsRefused) {
  write("a.yaml", program("a") + "#" + std::string(kYamlBytesMax, 'x'));
  EXPECT_FALSE(store_.reload());
  EXPECT_NE(errors().find("larger than 1048576 bytes"), std::string::npos) << errors();
}

TEST_F(ProgramStoreTest, TheSwitchIsLiveAndOnDiskWithCommentsKept) {
  write("a.yaml", program("a", "enabled: true   # 开\n"));
  store_.reload();
  ASSERT_TRUE(set_enabled("a", false, std::nullopt).ok());
  EXPECT_FALSE(enabled("a"));
  EXPECT_EQ(text("a.yaml"), program("a", "enabled: false   # 开\n"));
  EXPECT_FALSE(store_.reload());
  EXPECT_FALSE(fs::exists(path("a.yaml.partial")));
}

TEST_F(ProgramStoreTest, TheSwitchMindsTheRevisionItIsTold) {
  write("a.yaml", program("a", "enabled: true\n"));
  store_.reload();
  const std::string first = revision("a");
  ASSERT_TRUE(set_enabled("a", false, first).ok());
  const Status again = set_enabled("a", true, first);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_EQ(again.error().message, "the program is at revision " + revision("a"));
  EXPECT_FALSE(enabled("a"));
  ASSERT_TRUE(set_enabled("a", true, revision("a")).ok());
  EXPECT_EQ(revision("a"), first);
}

TEST_F(ProgramStoreTest, AnEditOnDiskThatIsNotYetReadCountsForTheRevision) {
  write("a.yaml", program("a"));
  store_.reload();
  const std::string read = revision("a");
  write("a.yaml", program("a", "priority: 3\n"));
  const Status status = set_enabled("a", false, read);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_EQ(text("a.yaml"), program("a", "priority: 3\n"));
}

TEST_F(ProgramStoreTest, AnUnknownProgramCannotBeSwitched) {
  store_.reload();
  EXPECT_EQ(set_enabled("a", false, std::nullopt).error().code, ErrorCode::kNotFound);
}

TEST_F(ProgramStoreTest, ABrokenFileIsNotSwitchedAndABrokenNeighbourIsSaid) {
  write("a.yaml", program("a", "enabled: true\n"));
  write("b.yaml", program("b"));
  store_.reload();
  write("b.yaml", "id: [\n");
  Status status = set_enabled("b", false, std::nullopt);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_EQ(text("b.yaml"), "id: [\n");
  status = set_enabled("a", false, std::nullopt);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("saved, but not live"), std::string::npos);
  EXPECT_EQ(text("a.yaml"), program("a", "enabled: false\n"));
  EXPECT_TRUE(enabled("a"));
  write("b.yaml", program("b"));
  EXPECT_TRUE(store_.reload());
  EXPECT_FALSE(enabled("a"));
}

TEST_F(ProgramStoreTest, ANewProgramGetsAFileAndARemovedOneLosesIt) {
  store_.reload();
  ASSERT_TRUE(write_program("山/货", whole_file(program("山/货"))).ok());
  EXPECT_EQ(live(), "山/货 ");
  EXPECT_EQ(text("%E5%B1%B1%2F%E8%B4%A7.yaml"), program("山/货"));
  EXPECT_EQ(store_.text("山/货").value(), program("山/货"));
  const std::string first = revision("山/货");
  EXPECT_EQ(store_.remove("山/货", "0", journal()).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(store_.remove("山/货", first, journal()).ok());
  EXPECT_EQ(live(), "");
  EXPECT_TRUE(fs::is_empty(path("")));
  EXPECT_EQ(store_.remove("山/货", std::nullopt, journal()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_.text("山/货").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(journal_, "山/货  " + first + "\n山/货 " + first + " \n");
}

TEST_F(ProgramStoreTest, APatchKeepsCommentsAndSaysAllThatIsWrong) {
  write("a.yaml", program("a", "priority: 1  # why\n"));
  store_.reload();
  ASSERT_TRUE(write_program("a", program_patch(Value::Object{{"priority", 9}})).ok());
  EXPECT_EQ(text("a.yaml"), program("a", "priority: 9  # why\n"));
  EXPECT_EQ(store_.current()->programs[0]->priority, 9);
  const Status refused = write_program(
      "a", program_patch(Value::Object{{"priority", 9999}, {"goal", 1}, {"items", "all"}}));
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  for (const char* each : {"priority: 9999 is too large", "goal: ", "items: "}) {
    EXPECT_NE(wrong().find(each), std::string::npos) << wrong();
  }
  EXPECT_EQ(text("a.yaml"), program("a", "priority: 9  # why\n"));
  EXPECT_EQ(write_program("b", program_patch(Value::Object{})).error().code, ErrorCode::kNotFound);
}

TEST_F(ProgramStoreTest, AWholeProgramReplacesTheOneThatIsThereEvenABrokenOne) {
  write("a.yaml", program("a", "priority: 1  # why\n"));
  store_.reload();
  const Value definition = Value::Object{
      {"id", "a"},
      {"priority", 2},
      {"items", Value::Object{}},
      {"surfaces", Value::Array{"feed"}},
      {"schedule",
       Value::Object{{"start", "2026-01-01T00:00:00Z"}, {"end", "2026-01-02T00:00:00Z"}}},
      {"goals",
       Value::Array{Value::Object{{"unit", "click"}, {"at_least", 1}, {"missed_value_fen", 2}}}}};
  ASSERT_TRUE(write_program("a", whole_definition(definition)).ok()) << wrong();
  EXPECT_EQ(text("a.yaml"), program("a", "priority: 2  # why\n"));
  write("a.yaml", "id: [");
  EXPECT_FALSE(store_.reload());
  ASSERT_TRUE(write_program("a", whole_definition(definition)).ok()) << wrong();
  EXPECT_TRUE(store_.errors().empty());
}

TEST_F(ProgramStoreTest, AnIdIsNeverChangedNorAFileOfAnotherTaken) {
  write("b.yaml", program("a"));
  store_.reload();
  EXPECT_EQ(write_program("a", program_patch(Value::Object{{"id", "c"}})).error().code,
            ErrorCode::kInvalid);
  EXPECT_EQ(wrong(), "id: must be a\n");
  EXPECT_EQ(write_program("b", whole_file(program("b"))).error().code, ErrorCode::kConflict);
  EXPECT_EQ(text("b.yaml"), program("a"));
}

TEST_F(ProgramStoreTest, WhatTheJournalCannotTakeIsNotWritten) {
  write("a.yaml", program("a"));
  store_.reload();
  const auto full = [](const ConfigChange&) { return Status(Error{ErrorCode::kIo, "full"}); };
  EXPECT_FALSE(
      store_.write("a", program_patch(Value::Object{{"priority", 1}}), std::nullopt, full, wrong_)
          .ok());
  EXPECT_FALSE(store_.remove("a", std::nullopt, full).ok());
  EXPECT_EQ(text("a.yaml"), program("a"));
}

TEST_F(ProgramStoreTest, ReadersSeeWholeSetsAndWholeFilesWhileBothAreReplaced) {
  write("a.yaml", program("a", "enabled: true\npriority: 1\n"));
  write("b.yaml", program("b"));
  ASSERT_TRUE(store_.reload());
  std::atomic<bool> stop{false};
  std::atomic<int> broken{0}, seen{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto set = store_.current();
        const Result<std::string> file = read_text_file(path("a.yaml"));
        const bool whole = set->programs.size() == 2 && file.ok() &&
                           file.value().ends_with("目标\n") && file.value().starts_with("id: a\n");
        broken += whole ? 0 : 1;
        ++seen;
      }
    });
  }
  std::thread reloader([&] {
    while (!stop) {
      store_.reload();
      broken += store_.errors().empty() ? 0 : 1;
    }
  });
  for (int round = 0; round < 40 || (seen < 100 && round < 10'000); ++round) {
    ASSERT_TRUE(set_enabled("a", round % 2 == 0, std::nullopt).ok());
    ASSERT_EQ(enabled("a"), round % 2 == 0);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  reloader.join();
  EXPECT_EQ(broken, 0);
}

}  // namespace
}  // namespace shanhuo
