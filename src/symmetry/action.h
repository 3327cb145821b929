// What an element does to one tensor, coordinate by coordinate: for whoever makes a part of a tensor at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "symmetry/element.h"

namespace dws::symmetry {

class Action {
 public:
  // What happens to one coordinate of one axis.
  struct Step {
    int64_t source = 0;
    double factor = 1, shift = 0;
  };
  // Of a tensor as a matrix of its first axis and all others together; of one without axes (1, 1).
  struct Box {
    int64_t row = 0, rows = 0, column = 0, columns = 0;
  };

  // spec and g must outlive it. `members` as act() has it.
  Action(const Spec& spec, const NetworkElement& g, int tensor, const LeftOut& left_out = {},
         const MembersByTensor* members = nullptr);

  Box whole() const noexcept;
  // By coordinate; empty where what happens depends on another axis too.
  const std::vector<Step>& table(size_t axis) const noexcept { return tables_[axis]; }
  bool only_reorders() const;

  // visit(target, source, factor, shift) for every number of the box, row by row: target counts within the box, source within the tensor.
  template <class Visit>
  void each(const Box& box, const Visit& visit) const {
    if (box.rows <= 0 || box.columns <= 0) return;
    const std::vector<int64_t>& dims = dims_;
    std::vector<int64_t> at(dims.size(), 0), strides(dims.size(), 1);
    for (size_t a = dims.size(); a-- > 1;) strides[a - 1] = strides[a] * dims[a];
    size_t target = 0;
    for (int64_t r = box.row; r < box.row + box.rows; ++r) {
      int64_t rest = box.column;
      for (size_t a = dims.size(); a-- > 1; rest /= dims[a]) at[a] = rest % dims[a];
      if (!dims.empty()) at[0] = r;
      for (int64_t c = 0; c < box.columns; ++c) {
        int64_t source = 0;
        double factor = 1, shift = 0;
        for (size_t a = 0; a < dims.size(); ++a) {
          const Step s = tables_[a].empty() ? step(a, at) : tables_[a][static_cast<size_t>(at[a])];
          source += s.source * strides[a];
          factor *= s.factor;
          shift += s.shift;
        }
        visit(target++, static_cast<size_t>(source), factor, shift);
        for (size_t a = dims.size(); a-- > 1;) {
          if (++at[a] < dims[a]) break;
          at[a] = 0;
        }
      }
    }
  }

 private:
  struct Here {
    int group, member;
    bool across;  // which block it is in is seen along another axis
  };
  bool across(const NetworkGroup& group, int axis) const;
  int64_t block(const NetworkGroup& group, const std::vector<int64_t>& at) const;
  Step step(size_t axis, const std::vector<int64_t>& at) const;

  const Spec& spec_;
  const NetworkElement& g_;
  int tensor_;
  const std::vector<int64_t>& dims_;
  std::vector<std::vector<Here>> on_axis_;
  std::vector<std::vector<Step>> tables_;
};

}  // namespace dws::symmetry
