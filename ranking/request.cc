#include "ranking/request.h"

namespace shanhuo {

std::string_view item_source_name(ItemSource source) {
  switch (source) {
    case ItemSource::kOrganic:
      return "organic";
    case ItemSource::kBoost:
      return "boost";
    case ItemSource::kRetrieved:
      return "retrieved";
  }
  return "";
}

}  // namespace shanhuo
