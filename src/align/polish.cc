#include "align/polish.h"

#include "align/descent.h"
#include "align/units.h"

namespace dws::align {

Polished polish(const Pair& pair, const symmetry::NetworkElement& start, const symmetry::Draw& kinds,
                int max_sweeps, uint64_t seed) {
  const Pair from(pair.spec, pair.scored, pair.a, act(pair.spec, start, pair.b));
  const Problem problem = make_problem(from, kinds);
  Descent descent(problem, standing(problem, from));
  Polished polished{.element = {}, .before = descent.score(), .after = 0};
  Rng rng(seed, stream_id("align.polish"));
  descent.descend(max_sweeps, rng);
  polished.after = descent.score();
  polished.element = symmetry::compose(pair.spec, descent.element(), start);
  return polished;
}

}  // namespace dws::align
