// Reads the parts of a payload's rules and experiments; inside flag_compile.cc and flag_fields.cc.
//
// Follows the reference field by field: what counts is now the presence of a key, now JavaScript's
// truth of its value. Each reader returns false, and reports where and what, when something is
// there and cannot be read; what is absent leaves `out` as it was.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "configs/flag_payload.h"

namespace shanhuo {

// The member when it is present and not null.
const Value* given(const Value& object, std::string_view key);
// When it is true to JavaScript.
const Value* truthy_member(const Value& object, std::string_view key);

class FlagFields {
 public:
  explicit FlagFields(std::vector<PayloadError>* errors) : errors_(errors) {}

  bool report(const std::string& at, std::string detail);  // false

  bool text(const Value& object, std::string_view key, const std::string& at, std::string& out);
  bool number(const Value& object, std::string_view key, const std::string& at, double& out);
  bool whole(const Value& object, std::string_view key, const std::string& at, int64_t& out);
  // What `seed` and `hashVersion` say, or the given ones.
  bool hash(const Value& object, const std::string& at, std::string seed, int version,
            BucketHash& out);
  // `groups`: null, there are none.
  bool condition(const Value* source, const SavedGroups* groups, const std::string& at,
                 Condition& out);
  bool range(const Value& source, const std::string& at, BucketRange& out);
  bool ranges(const Value& object, const std::string& at, std::vector<BucketRange>& out);
  bool weights(const Value* source, const std::string& at, std::vector<double>& out);
  bool filters(const Value& object, const std::string& at, std::vector<BucketFilter>& out);
  bool parents(const Value& object, const std::string& at, std::vector<Prerequisite>& out);
  bool space(const Value& object, const std::string& at, std::optional<BucketNamespace>& out);
  bool meta(const Value& object, const std::string& at, std::vector<VariationMeta>& out);

 private:
  std::vector<PayloadError>* errors_;
};

}  // namespace shanhuo
