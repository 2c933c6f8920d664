// The suites that train models, on data small enough to reason about.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "serving/evaluate.h"
#include "serving/model_settings.h"
#include "serving/top_items.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

class EvaluateModels : public testing::Test {
 protected:
  void SetUp() override {
    data_ = fs::temp_directory_path() / ("shanhuo-evaluate-models-" + std::to_string(::getpid()));
    fs::create_directories(data_);
  }
  void TearDown() override { fs::remove_all(data_); }

  std::ofstream file(const std::string& name) {
    fs::create_directories((data_ / name).parent_path());
    return std::ofstream(data_ / name);
  }

  SuiteInput input(std::string part) const {
    SuiteInput made;
    made.data = data_.string();
    made.part = std::move(part);
    return made;
  }

  fs::path data_;
};

// The cell in the row that begins with `name`, the `nth` of those.
double number(const SuiteTable& table, std::string_view name, std::string_view column,
              int nth = 0) {
  for (const auto& row : table.rows) {
    if (!row[0].text.starts_with(name) || nth-- > 0) continue;
    for (size_t c = 0; c < row.size(); ++c) {
      if (table.columns[c] == column) return row[c].number.value();
    }
  }
  ADD_FAILURE() << name << ", " << column;
  return 0;
}

// Forty towns of thirty places; a viewer walks about in one of them.
void write_towns(std::ofstream train, std::ofstream test) {
  Random random(1);
  for (int viewer = 0; viewer < 400; ++viewer) {
    train << viewer;
    test << viewer;
    for (int n = 0; n < 15; ++n) {
      const auto place = static_cast<int>(random.below(30)) + 30 * (viewer % 40);
      (n < 12 ? train : test) << ' ' << place;
    }
    train << '\n';
    test << (viewer == 7 ? " \n" : "\n");
  }
}

TEST_F(EvaluateModels, GowallaFindsTheTownAndBeatsPopularity) {
  write_towns(file("gowalla/train.txt"), file("gowalla/test.txt"));
  SuiteInput in = input("test");
  in.settings = {"softmax.epochs=20", "softmax.batch=256",       "softmax.negatives=256",
                 "als.sweeps=4",      "softmax.temperature=0.2", "filter.dims=48"};
  const Result<SuiteReport> made = evaluate_gowalla(in, [](double) {});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const SuiteTable& table = made.value().tables.front();
  const std::string all = text_of(made.value());
  EXPECT_EQ(number(table, "SimpleX", "Recall@20"), 0.1872);
  EXPECT_LT(number(table, "popularity", "Recall@20"), 0.1) << all;
  EXPECT_GT(number(table, "iALS", "Recall@20"), 0.5) << all;
  const double exact = number(table, "history softmax", "Recall@20");
  EXPECT_GT(exact, 0.5) << all;
  EXPECT_NEAR(number(table, "history softmax", "Recall@20", 1), exact, 0.01) << all;
  EXPECT_GT(number(table, "graph filter", "Recall@20"), 0.5) << all;
  const double sampled = number(table, "graph filter", "Recall@20", 1);
  EXPECT_NEAR(number(table, "graph filter", "Recall@20", 2), sampled, 0.1) << all;
  EXPECT_TRUE(made.value().met) << all;
}

TEST_F(EvaluateModels, GowallaChoosesWithoutEverOpeningTheTest) {
  write_towns(file("gowalla/train.txt"), file("elsewhere/test.txt"));
  SuiteInput in = input("dev");
  in.settings = {"softmax.epochs=1", "als.sweeps=1", "filter.dims=8"};
  const Result<SuiteReport> dev = evaluate_gowalla(in, [](double) {});
  ASSERT_TRUE(dev.ok()) << dev.error().message;
  in.part = "test";
  const Result<SuiteReport> test = evaluate_gowalla(in, [](double) {});
  ASSERT_FALSE(test.ok());
  EXPECT_NE(test.error().message.find("test.txt"), std::string::npos) << test.error().message;
}

TEST_F(EvaluateModels, GowallaSaysWhereALineIsBroken) {
  file("gowalla/train.txt") << "0 1 2\n1 x 3\n";
  const Result<SuiteReport> made = evaluate_gowalla(input("dev"), [](double) {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("train.txt:2"), std::string::npos) << made.error().message;
}

// Thirty groups of viewers, each with its own items; an item's category is its group.
TEST_F(EvaluateModels, ColdStartKnowsNewItemsByCategoryAndByWhoCameFirst) {
  std::ofstream reviews = file("grocery/train.csv"), categories = file("grocery/item_category.tsv");
  std::ofstream lines = file("gowalla/train.txt");
  reviews << "user_id,item_id,time\n";
  categories << "item_id\ti_category\n";
  Random random(3);
  for (int item = 0; item < 600; ++item) categories << item << '\t' << item % 30 << '\n';
  for (int viewer = 0; viewer < 900; ++viewer) {
    lines << viewer;
    for (int n = 0; n < 12; ++n) {
      const auto item = static_cast<int>(30 * random.below(20)) + viewer % 30;
      reviews << viewer << ',' << item << ',' << 1'000 * n + viewer << '\n';
      lines << ' ' << item;
    }
    lines << '\n';
  }
  reviews.close(), categories.close(), lines.close();
  SuiteInput in = input("test");
  in.settings = {"filter.dims=40"};
  const Result<SuiteReport> made = evaluate_cold_start(in, [](double) {});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const std::string all = text_of(made.value());
  for (const SuiteTable& table : made.value().tables) {
    const double random_recall = number(table, "nothing", "Recall@20");
    EXPECT_LT(random_recall, 0.7) << all;
    EXPECT_GT(number(table, "its first 1", "Recall@20"), 0.95) << all;
    EXPECT_GT(number(table, "its first 5", "Recall@20"), 0.95) << all;
  }
  EXPECT_GT(number(made.value().tables[0], "category: its", "Recall@20"), 0.95) << all;
  EXPECT_EQ(made.value().tables[1].name, "gowalla");
}

TEST_F(EvaluateModels, ColdStartSaysWhatIsMissing) {
  file("grocery/train.csv") << "user_id,item_id,time\n1,2,3\n";
  const Result<SuiteReport> no_categories = evaluate_cold_start(input("test"), [](double) {});
  ASSERT_FALSE(no_categories.ok());
  EXPECT_NE(no_categories.error().message.find("item_category.tsv"), std::string::npos);
  file("grocery/item_category.tsv") << "item_id\ti_category\n2\t1\n";
  file("gowalla/train.txt") << "0 1\n";
  const Result<SuiteReport> too_small = evaluate_cold_start(input("test"), [](double) {});
  ASSERT_FALSE(too_small.ok());
  EXPECT_NE(too_small.error().message.find("grocery: no hidden item"), std::string::npos)
      << too_small.error().message;
}

// Each viewer goes round a ring of twelve; what comes next is known from what came last.
void write_rings(std::ofstream train, std::ofstream dev) {
  Random random(2);
  train << "user_id,item_id,time\n";
  dev << "time,user_id,item_id\n";  // columns are found by name
  for (int viewer = 0; viewer < 300; ++viewer) {
    const int ring = viewer % 20, start = static_cast<int>(random.below(12));
    for (int n = 0; n < 6; ++n) {
      const int item = 12 * ring + (start + n) % 12, time = 1'000'000 + 86'400 * n + viewer;
      if (n < 5) {
        train << viewer << ',' << item << ',' << time << '\n';
      } else {
        dev << time << ',' << viewer << ',' << item << '\n';
      }
    }
  }
}

TEST_F(EvaluateModels, GroceryFindsWhatComesNextAmongDrawnOnes) {
  write_rings(file("grocery/train.csv"), file("grocery/dev.csv"));
  SuiteInput in = input("test");
  in.settings = {"softmax.epochs=30", "softmax.batch=200"};
  const Result<SuiteReport> made = evaluate_grocery(in, [](double) {});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const SuiteTable& table = made.value().tables.front();
  const std::string all = text_of(made.value());
  EXPECT_EQ(number(table, "ContraRec", "HR@5, 99"), 0.4251);
  EXPECT_LT(number(table, "popularity", "HR@5, 99"), 0.2) << all;
  EXPECT_GT(number(table, "history softmax", "HR@5, 99"), 0.8) << all;
  EXPECT_GT(number(table, "history softmax", "HR@5, all"), 0.3) << all;
  EXPECT_NE(all.find("seed of the 99 negatives 1"), std::string::npos) << all;
  EXPECT_TRUE(made.value().met) << all;
}

TEST_F(EvaluateModels, GroceryChoosesWithoutEverOpeningTheTest) {
  write_rings(file("grocery/train.csv"), file("elsewhere/dev.csv"));
  SuiteInput in = input("dev");
  in.settings = {"softmax.epochs=1"};
  EXPECT_TRUE(evaluate_grocery(in, [](double) {}).ok());
  in.part = "test";
  const Result<SuiteReport> test = evaluate_grocery(in, [](double) {});
  ASSERT_FALSE(test.ok());
  EXPECT_NE(test.error().message.find("dev.csv"), std::string::npos) << test.error().message;
}

TEST_F(EvaluateModels, GroceryKeepsToTheDrawOfItsSeed) {
  write_rings(file("grocery/train.csv"), file("grocery/dev.csv"));
  SuiteInput in = input("test");
  in.settings = {"softmax.epochs=2"};
  const auto text = [&in] { return text_of(evaluate_grocery(in, [](double) {}).value()); };
  const auto hits = [&in] {
    return number(evaluate_grocery(in, [](double) {}).value().tables.front(), "popularity",
                  "HR@5, 99");
  };
  const double first = hits();
  EXPECT_EQ(hits(), first);
  in.seed = 2;
  EXPECT_NE(text().find("negatives 2"), std::string::npos);
}

TEST_F(EvaluateModels, CaptionsAreNearTheirKindByTheLearnedMap) {
  const std::vector<std::string> words[] = {{"猕猴桃", "苹果", "水果"}, {"黄山", "风景", "旅游"}};
  std::ofstream csv = file("captions/captions.csv");
  csv << "video_id,manual_cover_text,caption,topic_tag,first_level_category_name\n";
  Random random(3);
  for (int n = 0; n < 300; ++n) {
    csv << n << ",UNKNOWN,\"";
    for (int k = 0; k < 6; ++k) csv << static_cast<char>('a' + random.below(26));  // noise
    csv << words[n % 2][random.below(3)] << "\",[]," << (n % 2 == 0 ? "三农" : "旅游") << '\n';
  }
  csv << "300,UNKNOWN,,[],三农\n301,UNKNOWN,no category,[],UNKNOWN\n";
  csv.close();
  file("char_vectors/tencent_char_200d.vec") << "2 3\n桃 1 0 0\n风 0 1 0\n";
  const Result<SuiteReport> made = evaluate_captions(input("test"), [](double) {});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const SuiteTable& table = made.value().tables.front();
  const std::string all = text_of(made.value());
  EXPECT_NEAR(number(table, "random", "P@10"), 0.5, 0.1) << all;
  EXPECT_GT(number(table, "n-grams, learned map", "P@10"), 0.95) << all;
}

TEST_F(EvaluateModels, CharacterVectorsThatBreakOffAreRefused) {
  file("captions/captions.csv") << "manual_cover_text,caption,topic_tag,"
                                   "first_level_category_name\nUNKNOWN,a,[],b\n";
  file("char_vectors/tencent_char_200d.vec") << "2 3\n桃 1 0 0\n风 0 1";
  const Result<SuiteReport> made = evaluate_captions(input("test"), [](double) {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("风"), std::string::npos) << made.error().message;
}

TEST(ModelSettings, ASettingIsTakenAndAllAreShown) {
  const Result<ModelSettings> read =
      read_model_settings({"softmax.temperature=0.25", "als.dims=16", "softmax.seed=3"});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().softmax.temperature, 0.25);
  EXPECT_EQ(read.value().als.dims, 16);
  EXPECT_EQ(read.value().softmax.seed, 3U);
  EXPECT_NE(describe(read.value()).find("softmax.temperature=0.25"), std::string::npos);
}

TEST(ModelSettings, WhatIsWrongIsNamed) {
  const auto refusal = [](const char* setting) {
    const Result<ModelSettings> read = read_model_settings({setting});
    return read.ok() ? "" : read.error().message;
  };
  EXPECT_NE(refusal("softmax.heat=1").find("softmax.temperature"), std::string::npos);
  EXPECT_NE(refusal("als.dims=1.5").find("als.dims=1.5"), std::string::npos);
  EXPECT_NE(refusal("als.seed=-1").find("als.seed"), std::string::npos);
  EXPECT_NE(refusal("als.dims=").find("als.dims"), std::string::npos);
  EXPECT_NE(refusal("als.dims").find("als.dims"), std::string::npos);
}

TEST(ListJudge, CountsWhatIsFoundAndWhere) {
  ListJudge judge(3);
  judge.add(std::vector<uint32_t>{5, 1, 9, 2}, std::vector<uint32_t>{1, 2});
  EXPECT_DOUBLE_EQ(judge.mean().recall, 0.5);  // 2 stands past the third place
  const double second = 1 / std::log2(3.0);
  EXPECT_DOUBLE_EQ(judge.mean().ndcg, second / (1 + second));
  judge.add(std::vector<uint32_t>{4}, {});
  EXPECT_EQ(judge.mean().viewers, 1U);
  EXPECT_EQ(ListJudge(3).mean().recall, 0);
}

TEST(ListJudge, TheScanLeavesOutWhatWasSeen) {
  const std::vector<float> viewers = {1, 1}, items = {3, 2, 1};
  const SparseRows seen(2, 3, {{0, 0}}), hidden(2, 3, {{0, 1}, {1, 1}});
  const ListQuality one =
      judge_scan({viewers.data(), 2, 1}, {items.data(), 3, 1}, seen, hidden, 1, 2);
  EXPECT_DOUBLE_EQ(one.recall, 0.5);
  EXPECT_EQ(one.viewers, 2U);
}

}  // namespace
}  // namespace shanhuo
