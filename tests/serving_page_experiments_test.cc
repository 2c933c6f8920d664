#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "serving/experiment_verbs.h"
#include "serving/page_experiments.h"
#include "serving/revision_book.h"
#include "tests/experiment_files.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

std::string everybody(const std::string& id, const std::string& set = "") {
  return experiment_text(
      id, {{"layer", id},
           {"variations", "[{key: in, weight: 1" + (set.empty() ? "" : ", set: {" + set + "}") +
                              "}, {key: out, weight: 0}]"}});
}

class PageExperimentsTest : public testing::Test {
 protected:
  void take(const std::vector<std::string>& texts) {
    page_.begin(experiments_of(texts), &base_);
    ASSERT_FALSE(page_.set().experiments().empty());
  }
  void assign() { page_.assign(ObjectSource(viewer_), Millis(0)); }

  const Value viewer_ = Value::Object{{"user_id", "u1"}};
  const RankingOptions base_;
  PageExperiments page_;
};

TEST_F(PageExperimentsTest, OptionsAreTheEnginesOwnUnlessAVariationSetsSome) {
  take({everybody("a")});
  EXPECT_EQ(&page_.options(), &base_);
  EXPECT_TRUE(page_.shown().empty());
  assign();
  EXPECT_EQ(&page_.options(), &base_);
  take({everybody("a", "ranking.insertions_max: 1"), everybody("b", "ranking.explore_best: 5")});
  assign();
  EXPECT_EQ(page_.options().insertions_max, 1);
  EXPECT_EQ(page_.options().explore_best, 5);
  EXPECT_EQ(page_.options().retrieve_k, base_.retrieve_k);
}

TEST_F(PageExperimentsTest, ShowsEveryExperimentAndWhy) {
  take({everybody("a"), experiment_text("b", {{"enabled", "false"}})});
  assign();
  ASSERT_EQ(page_.shown().size(), 2U);
  EXPECT_EQ(page_.shown()[0].variation, "in");
  EXPECT_EQ(page_.shown()[0].reason, "TARGETING_MATCH");
  EXPECT_FALSE(page_.shown()[1].in);
  EXPECT_EQ(page_.shown()[1].reason, "DISABLED");
}

TEST_F(PageExperimentsTest, TokensCarryFourAndThoseThatSetSomethingFirst) {
  take({everybody("a"), everybody("b"), everybody("c", "ranking.insertions_max: 1"), everybody("d"),
        everybody("e", "ranking.explore_best: 5")});
  assign();
  EXPECT_EQ(page_.variations().size(), 5U);
  const auto hash = [](const char* id) { return variation_hash(id, "in"); };
  EXPECT_EQ(page_.of_token(),
            (PageExperiments::TokenVariations{hash("c"), hash("e"), hash("a"), hash("b")}));
}

TEST_F(PageExperimentsTest, ExposuresCountOnceForEachUnitAndVariation) {
  ExposureMemory memory(100);
  Metrics metrics;
  for (const char* user : {"u1", "u2", "u1"}) {
    take({everybody("a"), everybody("b")});
    const Value viewer = Value::Object{{"user_id", user}};
    page_.assign(ObjectSource(viewer), Millis(0));
    page_.count(memory, metrics);
  }
  EXPECT_EQ(metrics.experiment_exposures.at("a", "in").value(), 2U);
  EXPECT_EQ(metrics.experiment_exposures.at("b", "in").value(), 2U);
  EXPECT_EQ(memory.forgotten(), 0U);
}

// As when memory runs out inside.
class Broken final : public AttributeSource {
 public:
  AttributeView find(std::string_view) const override { throw std::runtime_error("broken"); }
};

TEST_F(PageExperimentsTest, AfterAFailureAPageCanBeginAnew) {
  const auto set = experiments_of({everybody("a", "ranking.insertions_max: 1")});
  page_.begin(set, &base_);
  EXPECT_THROW(page_.assign(Broken(), Millis(0)), std::runtime_error);
  page_.begin(set, &base_);
  EXPECT_EQ(&page_.options(), &base_);
  EXPECT_TRUE(page_.shown().empty());
  EXPECT_TRUE(page_.variations().empty());
}

TEST(ExposureMemory, RemembersTheNewestAndCountsWhatItForgets) {
  ExposureMemory memory(64);
  for (uint64_t key = 2; key < 20'000; key += 2) {
    EXPECT_TRUE(memory.first(key));
    EXPECT_FALSE(memory.first(key));
  }
  EXPECT_GT(memory.forgotten(), 9'000U);
  ExposureMemory large(100'000);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t key = 2; key < 40'000; key += 2) EXPECT_EQ(large.first(key), round == 0);
  }
  EXPECT_EQ(large.forgotten(), 0U);
}

TEST(RevisionBook, KeepsTextsByRevisionAlsoAfterARestart) {
  TempDir folder;
  const std::string path = folder / "revisions";
  const std::string text = "id: 山货\n";
  const auto open = [&] { return std::move(RevisionBook::open(path, 3)).value(); };
  ASSERT_TRUE(open()->save(text).ok());
  ASSERT_TRUE(open()->save(text).ok());
  EXPECT_EQ(open()->text(revision_of(text)).value(), text);
  EXPECT_EQ(open()->text("../../../../etc/x").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(open()->text(std::string(16, '0')).error().code, ErrorCode::kNotFound);
  const auto book = open();
  for (const char* more : {"a", "b", "c"}) ASSERT_TRUE(book->save(more).ok());
  EXPECT_FALSE(book->text(revision_of(text)).ok());
  EXPECT_EQ(book->text(revision_of("a")).value(), "a");
}

TEST(LineDifference, ShowsWhatIsInOneTextAlone) {
  EXPECT_EQ(line_difference("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d\n");
  EXPECT_EQ(line_difference("", "a"), "+ a\n");
  EXPECT_EQ(line_difference("a\n", ""), "- a\n");
  EXPECT_EQ(line_difference("a", "a"), "  a\n");
}

}  // namespace
}  // namespace shanhuo
