#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/random.h"
#include "features/digest.h"
#include "serving/model_folder.h"
#include "serving/model_manifest.h"
#include "serving/temp_folder.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

VectorModelParts parts_of(VectorModelKind kind, size_t items = 2) {
  const bool als = kind == VectorModelKind::kAls;
  Random random(1);
  VectorModelParts parts;
  parts.version = "spring.1";
  parts.kind = kind;
  parts.nearness = 0.8;
  parts.evidence_half = 7.5;
  parts.als.unobserved_weight = 0.1;
  parts.als.regularisation = 1.0 / 3;
  for (size_t i = 0; i < items; ++i) {
    parts.items.push_back("猕猴桃-" + std::to_string(i));
    parts.evidence.push_back(static_cast<uint32_t>(3 * i));
    for (int k = 0; k < kDims; ++k) {
      parts.histories.push_back(static_cast<float>(random.normal()));
      if (!als) parts.candidates.push_back(k == 5 ? -1.0F : 0.0F);
    }
  }
  std::vector<float> targets(als ? kDims : 2 * kDims);
  for (float& x : targets) x = static_cast<float>(random.normal());
  parts.text = std::make_shared<const TextMap>(
      TextMap::learn(std::vector<std::string>{"a"}, targets, targets.size(), {.bits = 8}).value());
  return parts;
}

ModelFacts facts_of() {
  ModelFacts facts;
  facts.first = Millis(1'650'000'000'123);
  facts.last = Millis(1'650'000'999'999);
  facts.events = 12'345;
  facts.viewers = 67;
  facts.parameters = {{"softmax.epochs", 30}, {"softmax.temperature", 0.1}};
  facts.metrics = {{"recall@20", 1.0 / 7}};
  return facts;
}

class Folder : public testing::Test {
 protected:
  std::string path() const { return home_.path() + "/spring.1"; }
  void given(const VectorModelParts& parts) const {
    const Status written = write_model(path(), parts, facts_of());
    ASSERT_TRUE(written.ok()) << written.error().message;
  }
  std::string refusal() const {
    const Result<StoredModel> read = read_model(path());
    return read.ok() ? "" : read.error().message;
  }

  TempFolder home_ = TempFolder::make("model_folder").value();
};

class ModelFolder : public Folder, public testing::WithParamInterface<VectorModelKind> {};

TEST_P(ModelFolder, GivesBackWhatWasWritten) {
  const VectorModelParts parts = parts_of(GetParam());
  given(parts);
  Result<StoredModel> read = read_model(path());
  ASSERT_TRUE(read.ok()) << read.error().message;
  const auto& [got, facts] = read.value();
  EXPECT_EQ(got.version, parts.version);
  EXPECT_EQ(got.kind, parts.kind);
  EXPECT_EQ(got.nearness, parts.nearness);
  EXPECT_EQ(got.evidence_half, parts.evidence_half);
  EXPECT_EQ(got.items, parts.items);
  EXPECT_EQ(got.evidence, parts.evidence);
  EXPECT_EQ(got.histories, parts.histories);
  EXPECT_EQ(got.candidates, parts.candidates);
  if (GetParam() == VectorModelKind::kAls) {
    EXPECT_EQ(got.als.unobserved_weight, parts.als.unobserved_weight);
    EXPECT_EQ(got.als.regularisation, parts.als.regularisation);
    EXPECT_EQ(got.als.frequency_exponent, parts.als.frequency_exponent);
  }
  std::string wanted, bytes;
  parts.text->to_bytes(wanted);
  got.text->to_bytes(bytes);
  EXPECT_EQ(bytes, wanted);
  EXPECT_EQ(facts.first, facts_of().first);
  EXPECT_EQ(facts.last, facts_of().last);
  EXPECT_EQ(facts.events, 12'345u);
  EXPECT_EQ(facts.viewers, 67u);
  EXPECT_EQ(facts.parameters, facts_of().parameters);
  EXPECT_EQ(facts.metrics, facts_of().metrics);
  EXPECT_TRUE(VectorModel::make(std::move(read.value().parts)).ok());
}

TEST_P(ModelFolder, EveryFlippedByteIsFoundAndItsFileNamed) {
  given(parts_of(GetParam()));
  size_t flipped = 0;
  for (const auto& entry : fs::directory_iterator(path())) {
    const std::string name = entry.path().filename(), text = text_of(entry.path());
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    for (size_t at = 0; at < text.size(); ++at, ++flipped) {
      const auto put = [&](char c) {
        file.seekp(static_cast<std::streamoff>(at));
        file.put(c);
        file.flush();
      };
      put(static_cast<char>(text[at] ^ (at % 2 == 0 ? 1 : 0x20)));
      ASSERT_THAT(refusal(), AllOf(HasSubstr(path()), HasSubstr(name))) << "byte " << at;
      put(text[at]);
    }
  }
  EXPECT_GT(flipped, 1'000u);
  EXPECT_EQ(refusal(), "");
}

TEST_P(ModelFolder, EveryTruncationIsFoundAndItsFileNamed) {
  given(parts_of(GetParam()));
  for (const auto& entry : fs::directory_iterator(path())) {
    const std::string name = entry.path().filename(), text = text_of(entry.path());
    for (size_t size = text.size(); size-- > 0;) {
      fs::resize_file(entry.path(), size);
      ASSERT_THAT(refusal(), HasSubstr(name)) << "cut to " << size;
    }
    write(entry.path(), text);
  }
  EXPECT_EQ(refusal(), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ModelFolder,
                         testing::Values(VectorModelKind::kAls, VectorModelKind::kHistorySoftmax),
                         [](const auto& info) {
                           return info.param == VectorModelKind::kAls ? "Als" : "Softmax";
                         });

class BrokenFolder : public Folder {
 protected:
  void SetUp() override { given(parts_of(VectorModelKind::kHistorySoftmax)); }
  // The manifest with one piece of its text replaced and its digest made to fit.
  void edit_manifest(const std::string& from, const std::string& to) const {
    const fs::path file = fs::path(path()) / "manifest.json";
    std::string text = text_of(file);
    const size_t at = text.find(from);
    ASSERT_NE(at, text.npos);
    text.replace(at, from.size(), to);
    text.resize(text.size() - 67);  // 64 digits and the end
    write(file, text + sha256_hex(text) + "\"}\n");
  }
};

TEST_F(BrokenFolder, NothingThereAndNotAFolderAreSaid) {
  EXPECT_EQ(read_model(home_.path() + "/other").error().code, ErrorCode::kNotFound);
  write(home_.path() + "/file", "x");
  EXPECT_THAT(read_model(home_.path() + "/file").error().message, HasSubstr("is no folder"));
  fs::create_directory(home_.path() + "/empty");
  EXPECT_THAT(read_model(home_.path() + "/empty").error().message,
              HasSubstr("manifest.json: is missing"));
}

TEST_F(BrokenFolder, AMissingFileIsNamed) {
  for (const char* name : {"manifest.json", "items.bin", "evidence.bin", "histories.bin",
                           "candidates.bin", "text_map.bin"}) {
    const fs::path file = fs::path(path()) / name;
    fs::rename(file, home_.path() + "/aside");
    EXPECT_THAT(refusal(), HasSubstr(std::string(name) + ": is missing"));
    fs::create_directory(file);
    EXPECT_THAT(refusal(), HasSubstr(std::string(name) + ": is missing"));
    fs::remove(file);
    fs::rename(home_.path() + "/aside", file);
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(BrokenFolder, ALongerFileAndAForeignFileAreNamed) {
  for (const char* name : {"manifest.json", "evidence.bin", "text_map.bin"}) {
    const std::string text = text_of(path() + "/" + name);
    write(path() + "/" + name, text + '\0');
    EXPECT_THAT(refusal(), HasSubstr(std::string(name) + ": "));
    write(path() + "/" + name, text);
  }
  write(path() + "/notes.txt", "mine");
  EXPECT_THAT(refusal(), HasSubstr("notes.txt: is not in the manifest"));
}

TEST_F(BrokenFolder, WhatThisEngineCannotServeIsRefusedThoughDigestsFit) {
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{R"("format_version":1)", R"("format_version":2)"}, "is of format 2"},
      {{"shanhuo-model", "another-thing"}, "no manifest of a model"},
      {{R"("dims":64)", R"("dims":128)"}, "/dims: 128 are not the 64"},
      {{R"("items":2)", R"("items":3)"}, "items.bin: not as many ids"},
      {{R"("items":2)", R"("items":99000000)"}, "99000000 items, at most"},
      {{R"("kind":"history-softmax")", R"("kind":"magic")"}, "/kind: is 'magic'"},
      {{R"("kind":"history-softmax")", R"("kind":"als")"}, "/als"},
      {{R"("nearness":0.8)", R"("nearness":null)"}, "/nearness"},
      {{R"("events":)", R"("evens":)"}, "/data/evens: unknown"},
      {{R"("name":"items.bin")", R"("name":"../items.bin")"}, "names the file '../items.bin'"},
      {{R"("name":"items.bin")", R"("name":"evidence.bin")"}, "names the file 'evidence.bin'"},
  };
  const std::string manifest = text_of(path() + "/manifest.json");
  for (const auto& [edit, reason] : cases) {
    edit_manifest(edit.first, edit.second);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(path()), HasSubstr(reason)));
    write(path() + "/manifest.json", manifest);
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(BrokenFolder, WhatIsNoNumberIsRefusedThoughItWasWrittenSo) {
  fs::remove_all(path());
  VectorModelParts parts = parts_of(VectorModelKind::kHistorySoftmax);
  parts.histories[70] = std::numeric_limits<float>::quiet_NaN();
  given(parts);
  EXPECT_THAT(refusal(), HasSubstr("histories.bin: not every one is a number"));
}

TEST_F(BrokenFolder, AVersionIsNeverWrittenOverAndLeftoversAreNoHindrance) {
  const VectorModelParts parts = parts_of(VectorModelKind::kAls);
  EXPECT_EQ(write_model(path(), parts, facts_of()).error().code, ErrorCode::kConflict);
  EXPECT_EQ(read_model(path()).value().parts.kind, VectorModelKind::kHistorySoftmax);
  const std::string other = home_.path() + "/other";
  fs::create_directory(home_.path() + "/.other.partial");
  write(home_.path() + "/.other.partial/items.bin", "half of it");
  EXPECT_TRUE(write_model(other + "/", parts, facts_of()).ok());
  EXPECT_TRUE(read_model(other).ok());
  EXPECT_FALSE(fs::exists(home_.path() + "/.other.partial"));
  EXPECT_EQ(write_model(home_.path() + "/no/where", parts, facts_of()).error().code,
            ErrorCode::kIo);
  VectorModelParts none;
  EXPECT_EQ(write_model(home_.path() + "/none", none, {}).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace shanhuo
