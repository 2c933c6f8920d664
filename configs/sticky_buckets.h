// Which variation somebody has had: kept so that a change of weights or of targeting moves nobody
// (SDK specification 0.8.0, "sticky bucketing"). One document per value of an attribute:
//
//   document   = attribute value assignments       at key  attribute "||" value
//   assignment = experiment "__" bucket version -> key of the variation
//
// A store is asked and told by FlagEvaluator on the thread that evaluates; it says itself what else
// is safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "features/attributes_json.h"

namespace shanhuo {

struct StickyDocument {
  std::string attribute, value;
  std::map<std::string, std::string, std::less<>> assignments;

  // How an attribute's value stands in it: texts as they are, all else as compact JSON.
  static std::string value_of(const AttributeView& value) {
    return value.kind() == AttributeKind::kText ? std::string(value.as_text()) : json_text(value);
  }
  std::string key() const { return key_of(attribute, value); }
  static std::string key_of(std::string_view attribute, std::string_view value) {
    return std::string(attribute).append("||").append(value);
  }
  bool operator==(const StickyDocument&) const = default;
};

class StickyStore {
 public:
  virtual ~StickyStore() = default;
  // nullptr: none. Valid until the next save().
  virtual const StickyDocument* find(std::string_view key) const = 0;
  virtual void save(StickyDocument document) = 0;
};

// In memory, for one thread.
class StickyMap final : public StickyStore {
 public:
  using Documents = std::map<std::string, StickyDocument, std::less<>>;

  const StickyDocument* find(std::string_view key) const override {
    const auto found = documents_.find(key);
    return found == documents_.end() ? nullptr : &found->second;
  }
  void save(StickyDocument document) override {
    std::string key = document.key();
    documents_[std::move(key)] = std::move(document);
  }
  const Documents& documents() const { return documents_; }

 private:
  Documents documents_;
};

}  // namespace shanhuo
