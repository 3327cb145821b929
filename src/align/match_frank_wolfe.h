// Two networks by Frank-Wolfe.
#pragma once

#include "align/frank_wolfe.h"
#include "align/match_network.h"

namespace dws::align {

// What weight matching finds, or what is better: from B as it is, from weight matching's element and from `restarts` random ones
// all groups are moved at once through soft elements, the end is rounded to the nearest element and descends from there. Orders and signs are
// what is soft; scales are balanced away before (balance.h), phases are left to the descent. `objective` of the result: at the start,
// then weight matching's end, then the end taken, none less than the one before; `starts`: Frank-Wolfe runs.
struct FrankWolfeMatch {
  NetworkMatch match;
  int steps = 0;          // of all runs
  bool improved = false;  // on weight matching
};
FrankWolfeMatch match_frank_wolfe(const Pair& pair, const NetworkMatchOptions& options,
                                  const FrankWolfeOptions& frank_wolfe_options = {});

}  // namespace dws::align
