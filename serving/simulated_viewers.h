// Simulated viewers: which page they ask for and what they do with the answer, as API messages.
//
// A viewer has a number, the traits of SimulatedWorld, a random stream of their own and a count of
// pages; all of it follows from the seed, so a viewer does the same whoever else is there. One
// thread; several threads each own the viewers of their share.
//
// A page goes by from top to bottom. Each position is looked at with the viewer's patience; what is
// looked at is an impression with viewable_ms, a video that is looked at also a play with watch_ms;
// then, by the truth, click, deed, like, comment, share, follow, add_to_cart, order, dislike, and
// refund.
// Every event repeats request_id, surface, position and, where the answer gave one, the token.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/json_writer.h"
#include "base/random.h"
#include "base/result.h"
#include "features/interaction.h"
#include "serving/simulated_world.h"
#include "streaming/json.h"

namespace shanhuo {

inline constexpr int kPageCount = 10;
inline constexpr int kOrganicCandidates = 30;

// Events as JSON lines, by the time at which they will have happened.
using PendingEvents = std::multimap<int64_t, std::string>;

// A visit: pages one after the other, of the feed, of the festival's page or of one live room. Some
// begin with the opening screen, which counts as no page.
struct Visit {
  uint32_t viewer = 0;
  int pages_left = 0;
  int room = -1;  // index into rooms(); -1: none
  bool festival = false;
  bool opening = false;  // the opening screen comes next
};

struct PageOutcome {
  int64_t left_ms = 0;       // when the viewer has left the page
  double organic_value = 0;  // expected true clicks of the first kPageCount organic items
  double value = 0;          // of the page as it was answered; both 0 without an organic list
  uint32_t inserted = 0;     // items that are not organic
  uint32_t unknown_items = 0;
  uint64_t orders = 0;
  std::vector<std::string> programs;  // that the page's items name, each once
};

class SimulatedViewers {
 public:
  // `world` must outlive this. Owns the viewers whose number is `share` modulo `shares`.
  // `request_prefix` begins every request_id, so that two runs against one engine do not collide.
  SimulatedViewers(const SimulatedWorld& world, uint64_t seed, uint32_t viewers, int share,
                   int shares, std::string request_prefix);

  // Who comes next, for how many pages. Light viewers come rarely and stay briefly.
  Visit begin_visit(Random& random) const;
  static double pages_of_visit_mean();

  // Appends the body of POST /v1/rank for the next page of a visit at `now`. `caller_clock`: with
  // now_ms. Remembers the page for react().
  void write_request(const Visit& visit, Millis now, bool caller_clock, std::string& body);

  // What the viewer of the last write_request() does with the answer, from `now` on.
  Result<PageOutcome> react(json::Value answer, Millis now, PendingEvents& pending);

 private:
  struct Viewer {
    Random random;
    uint32_t pages = 0;
  };
  // One item of the page that is being looked at.
  struct Seen {
    const SimulatedItem* item = nullptr;
    Interaction event;  // what all events about it share
    double p_click = 0;
    int64_t at_ms = 0;  // when it came into view
  };

  void write_feed(JsonWriter& json);
  static void write_opening(JsonWriter& json);
  void write_room(const SimulatedRoom& room, JsonWriter& json);
  void look_at(Seen& seen, PageOutcome& outcome, PendingEvents& pending);
  void act_on_click(Seen& seen, int64_t at_ms, PageOutcome& outcome, PendingEvents& pending);
  void do_good(Seen& seen, int64_t at_ms, PendingEvents& pending);
  void buy(Seen& seen, int64_t at_ms, PendingEvents& pending);
  void watch_room(Millis now, PageOutcome& outcome, PendingEvents& pending);
  // One event about it, with its id. It is sent when it is over: at `sent_ms`.
  void emit(Seen& seen, EventType type, int64_t ts_ms, int64_t sent_ms, PendingEvents& pending);
  Viewer& viewer() { return viewers_[visit_.viewer]; }

  const SimulatedWorld& world_;
  const int share_, shares_;
  const std::string request_prefix_;
  std::vector<Viewer> viewers_;       // own ones; number = index * shares + share
  std::vector<uint32_t> by_tier_[3];  // indices of light, medium and heavy viewers

  // The page between write_request() and react().
  Visit visit_;
  ViewerTraits traits_;
  std::string user_id_, request_id_, event_id_, order_id_;
  Surface surface_ = Surface::kFeed;
  std::vector<OrganicCandidate> organic_;
};

}  // namespace shanhuo
