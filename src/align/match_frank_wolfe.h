// Two networks by Frank-Wolfe.
#pragma once

#include "align/frank_wolfe.h"
#include "align/match_network.h"

namespace dws::align {

// What weight matching finds, or what is better: from B as it is, from weight matching's element and from `restarts` random ones
// all groups are moved at once through soft elements, the end is rounded to the nearest element and descends from there. Orders and
// signs are what is soft; scales are balanced away before (balance.h), phases are left to the descent. `objective` of the result: at the
// start, at weight matching's end, at the end taken, none less than the one before; `starts` and `steps`: Frank-Wolfe's. The same bits on
// any number of threads. Throws as match_networks() does.
NetworkMatch match_frank_wolfe(const Pair& pair, const NetworkMatchOptions& options);

}  // namespace dws::align
