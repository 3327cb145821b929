// One product for many blocks: channels of several source tensors to channels of several target tensors,
// where a mask says which source reaches which target.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "nn/blocks.h"
#include "nn/features.h"

namespace dws::nn {

// y (..., G_1 + G_2 + ...) = x (..., F_1 + F_2 + ...) W [+ bias]. Targets with the same set of allowed
// sources form a class, which has one dense matrix: without a mask there is one class and one product, and
// there are never parameters that a mask would have to hold at zero.
template <class T>
class BlockLinear {
 public:
  struct Field {
    int tensor = 0;  // unique among sources, and among targets
    int64_t width = 0;
  };

  BlockLinear() = default;
  // Parameters "NAME.weight" (a number follows when there are several classes) and "NAME.bias".
  BlockLinear(ParamSet<T>& params, const std::string& name, std::vector<Field> sources,
              std::vector<Field> targets, const BlockMask& allowed, bool bias);

  int64_t in_width() const noexcept { return in_width_; }
  int64_t out_width() const noexcept { return out_width_; }
  // True when the output would always be zero.
  bool empty() const noexcept { return classes_.empty() && bias_ < 0; }

  // The parameter that holds the whole map (in_width, out_width), -1 when a mask left blocks out; the bias, -1
  // when there is none.
  int dense_weight() const noexcept { return dense() ? classes_[0].weight : -1; }
  int bias() const noexcept { return bias_; }

  // x (..., in_width) -> (..., out_width), targets in the order given.
  Var<T> forward(Tape<T>& tape, const ParamSet<T>& params, Var<T> x) const;

  // std_of(source tensor, target tensor, fan-in of the target) gives the deviation of a block; biases start
  // at zero.
  using Deviation = std::function<double(int source, int target, int64_t fan_in)>;
  void init(ParamSet<T>& params, uint64_t seed, const Deviation& std_of) const;

  // Place in the flat parameters of the coefficient from channel `row` of a source to channel `column` of a
  // target; -1 when the mask excludes it. bias_place likewise.
  int64_t weight_place(const ParamSet<T>& params, int source, int64_t row, int target, int64_t column) const;
  int64_t bias_place(const ParamSet<T>& params, int target, int64_t column) const;

 private:
  struct Class {
    std::vector<size_t> sources, targets;  // indices into sources_, targets_
    int64_t rows = 0, columns = 0;
    int weight = -1;
  };
  bool dense() const noexcept {
    return classes_.size() == 1 && classes_[0].rows == in_width_ && classes_[0].columns == out_width_;
  }
  static std::vector<int64_t> starts(const std::vector<Field>& fields, int64_t& total);
  Var<T> gather_sources(const Class& c, Var<T> x) const;
  Var<T> assemble(Tape<T>& tape, const std::vector<Var<T>>& outputs, const Var<T>& x) const;

  std::vector<Field> sources_, targets_;
  std::vector<int64_t> source_start_, target_start_;
  int64_t in_width_ = 0, out_width_ = 0;
  std::vector<Class> classes_;
  int bias_ = -1;
};

extern template class BlockLinear<float>;
extern template class BlockLinear<double>;

}  // namespace dws::nn
