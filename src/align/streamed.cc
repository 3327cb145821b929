#include "align/streamed.h"

#include <algorithm>

#include "align/lanes.h"
#include "core/parallel.h"

namespace dws::align {
namespace {

// The indices of a list that lie in [first, last), from `first` on; all of them where there is no list.
struct Part {
  std::vector<int64_t> list;
  const std::vector<int64_t>* chosen = nullptr;
  int64_t count = 0;

  Part(const std::vector<int64_t>* all, int64_t first, int64_t last) : count(last - first) {
    if (!all) return;
    const auto begin = std::ranges::lower_bound(*all, first), end = std::ranges::lower_bound(*all, last);
    for (auto i = begin; i != end; ++i) list.push_back(*i - first);
    chosen = &list;
    count = static_cast<int64_t>(list.size());
  }
};

// Products of packed matrices that come in parts, multiplied in the steps in which the whole would be.
class Rows {
 public:
  Rows(int64_t items, Packed& packed, std::vector<float>& gain) : n_(items), packed_(packed), gain_(gain) {}

  // Where `count` more rows go.
  void room(int64_t count, float*& a, float*& b) {
    const auto size = static_cast<size_t>((have_ + count) * n_);
    packed_.reserve(size);
    a = packed_.a.data() + have_ * n_;
    b = packed_.b.data() + have_ * n_;
    have_ += count;
  }
  void multiply(bool last) {
    const int64_t now = last ? have_ : have_ / kProductDepth * kProductDepth;
    if (now == 0) return;
    add_packed_products(n_, now, packed_.a.data(), packed_.b.data(), gain_);
    const auto from = now * n_, to = have_ * n_;
    std::copy(packed_.a.data() + from, packed_.a.data() + to, packed_.a.data());
    std::copy(packed_.b.data() + from, packed_.b.data() + to, packed_.b.data());
    have_ -= now;
  }

 private:
  int64_t n_, have_ = 0;
  Packed& packed_;
  std::vector<float>& gain_;
};

std::vector<float> whole(const MovedTensor& from) {
  std::vector<float> all(static_cast<size_t>(from.whole().rows * from.whole().columns));
  from.read(from.whole(), all.data());
  return all;
}
double square(const MovedTensor& numbers) {
  Lanes lanes;
  each_block(numbers, [&](std::span<const float> x) { lanes.add(x, x); });
  return lanes.sum();
}

}  // namespace

std::vector<bool> StoredPair::counted() const {
  std::vector<bool> counted = scored;
  for (size_t t = 0; t < counted.size(); ++t) counted[t] = counted[t] && !a.tensors[t].bytes.empty();
  return counted;
}

Streamed::Streamed(const Problem& problem, const StoredPair& pair, const symmetry::NetworkElement* of_a,
                   const symmetry::NetworkElement* of_b)
    : problem_(&problem),
      pair_(&pair),
      of_a_(of_a),
      of_b_(of_b),
      members_(std::make_shared<const symmetry::MembersByTensor>(symmetry::members_by_tensor(pair.spec))),
      now_(of_b ? *of_b : symmetry::identity_element(pair.spec)) {}

void Streamed::stand(const symmetry::NetworkElement& element) {
  now_ = of_b_ ? symmetry::compose(pair_->spec, element, *of_b_) : element;
}

MovedTensor Streamed::a(size_t field) const {
  return {pair_->spec, pair_->a, tensor(field), of_a_, *members_};
}
MovedTensor Streamed::b(size_t field) const {
  return {pair_->spec, pair_->b, tensor(field), &now_, *members_};
}

std::vector<float> Streamed::whole_a(size_t field) const {
  return whole(a(field));
}
std::vector<float> Streamed::whole_b(size_t field) const {
  return whole(b(field));
}

double Streamed::score(size_t field) const {
  Lanes product, square;
  const bool shifted = problem_->fields[field].shifted;
  each_block(a(field), b(field), [&](std::span<const float> x, std::span<const float> y) {
    product.add(x, y);
    if (shifted) square.add(y, y);
  });
  return shifted ? product.sum() - square.sum() / 2 : product.sum();
}
double Streamed::score() const {
  return over_fields([&](size_t f) { return score(f); });
}
double Streamed::score_of_a() const {
  return over_fields([&](size_t f) { return own_share(f) * square(a(f)); });
}
double Streamed::score_of_b() const {
  return over_fields([&](size_t f) { return own_share(f) * square(b(f)); });
}
double Streamed::squares_of_a() const {
  return over_fields([&](size_t f) { return square(a(f)); });
}
double Streamed::squares_of_b() const {
  return over_fields([&](size_t f) { return square(b(f)); });
}
// What counts by distance has half of its square with itself (units.h).
double Streamed::own_share(size_t field) const noexcept {
  return problem_->fields[field].shifted ? 0.5 : 1;
}
double Streamed::over_fields(const std::function<double(size_t)>& of) const {
  std::vector<double> parts(problem_->fields.size());
  parallel_for(static_cast<int64_t>(parts.size()),
               [&](int64_t f) { parts[static_cast<size_t>(f)] = of(static_cast<size_t>(f)); });
  double all = 0;
  for (const double part : parts) all += part;
  return all;
}

void Streamed::add_products(const Place& place, int64_t size, const Selection& selection,
                            std::vector<float>& gain, Packed& packed) const {
  const auto f = static_cast<size_t>(place.field);
  const MovedTensor x = a(f), y = b(f);
  const MovedTensor::Box whole = x.whole();
  const Walk all(problem_->fields[f], place, size);
  Rows rows(size, packed, gain);
  Field part = problem_->fields[f];
  std::vector<float> numbers_a, numbers_b;
  // The numbers of `box`, which are those of `part`.
  const auto add = [&](const MovedTensor::Box& box, const Selection& chosen) {
    const Walk walk(part, place, size);
    const int64_t count = walk.rows(chosen);
    if (count == 0) return;
    float *to_a = nullptr, *to_b = nullptr;
    rows.room(count, to_a, to_b);
    if (!chosen.before && !chosen.run && walk.run == 1 && walk.length == size && place.outer == 1) {
      x.read(box, to_a);  // as it lies
      y.read(box, to_b);
    } else {
      numbers_a.resize(static_cast<size_t>(box.rows * box.columns));
      numbers_b.resize(numbers_a.size());
      x.read(box, numbers_a.data());
      y.read(box, numbers_b.data());
      pack(walk, chosen, numbers_a.data(), to_a);
      pack(walk, chosen, numbers_b.data(), to_b);
    }
    rows.multiply(false);
  };
  if (place.axis > 0) {
    const int64_t before = all.before / std::max<int64_t>(1, whole.rows);  // a row of the tensor
    const int64_t band = std::max<int64_t>(1, kBandNumbers / std::max<int64_t>(1, whole.columns));
    for (int64_t r = 0; r < whole.rows; r += band) {
      const int64_t here = std::min(band, whole.rows - r);
      const Part chosen(selection.before, r * before, (r + here) * before);
      if (chosen.count == 0) continue;
      part.dims[0] = here;
      add({.row = r, .rows = here, .column = 0, .columns = whole.columns},
          {.before = chosen.chosen, .outer = nullptr, .run = selection.run});
    }
  } else if (place.outer == 1 && place.inner == 1 && part.dims.size() == 2) {
    const int64_t band = std::max<int64_t>(kProductDepth, kBandNumbers / std::max<int64_t>(1, whole.rows));
    for (int64_t c = 0; c < whole.columns; c += band) {
      const int64_t here = std::min(band, whole.columns - c);
      const Part chosen(selection.run, c, c + here);
      if (chosen.count == 0) continue;
      part.dims[1] = here;
      add({.row = 0, .rows = whole.rows, .column = c, .columns = here},
          {.before = selection.before, .outer = nullptr, .run = chosen.chosen});
    }
  } else {
    add(whole, selection);
  }
  rows.multiply(true);
}

double Streamed::change(const Place& place, int64_t size, std::span<const int64_t> changed,
                        std::span<const int32_t> order, std::span<const float> factor) const {
  const auto f = static_cast<size_t>(place.field);
  const MovedTensor x = a(f), y = b(f);
  const MovedTensor::Box whole = x.whole();
  Field part = problem_->fields[f];
  // Items along the first axis lie anywhere in the tensor.
  const int64_t band = place.axis == 0
                           ? std::max<int64_t>(1, whole.rows)
                           : std::max<int64_t>(1, kBandNumbers / std::max<int64_t>(1, whole.columns));
  double sum = 0;
  std::vector<float> numbers_a, numbers_b;
  for (int64_t r = 0; r < whole.rows; r += band) {
    const MovedTensor::Box box{
        .row = r, .rows = std::min(band, whole.rows - r), .column = 0, .columns = whole.columns};
    part.dims[0] = box.rows;
    numbers_a.resize(static_cast<size_t>(box.rows * box.columns));
    numbers_b.resize(numbers_a.size());
    x.read(box, numbers_a.data());
    y.read(box, numbers_b.data());
    sum = align::change(Walk(part, place, size), numbers_a.data(), numbers_b.data(), changed, order, factor,
                        sum);
  }
  return sum;
}

}  // namespace dws::align
