// What a pack of goods weighs, as its title says: "猕猴桃 5斤装" is 2,500 g. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace shanhuo {

// Of the first number that has a unit of weight right after it: 斤 (500 g), 公斤, 千克, 克, kg, g.
// 0: the title names no weight, or one above a ton.
int64_t pack_grams(std::string_view title);

}  // namespace shanhuo
