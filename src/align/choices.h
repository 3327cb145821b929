// Which signs, and how many half turns, an item takes with it when it stands for another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/units.h"

namespace dws::align {

// By class of the unit (size, size): <item i of A, item j of B> as they stand. Empty: nothing known.
using ClassGains = std::vector<std::vector<float>>;

// What item j of B takes on to become item i. By generator +1 or -1, by phase half turns.
struct Choice {
  std::vector<float> signs;
  std::vector<int32_t> turns;
};

class Choices {
 public:
  Choices(const Problem& problem, const Unit& unit);

  // The numbers that phases shift, as they stand; `known` false leaves them out.
  void take_shifted(const Problem& problem, const Standing& numbers, bool known);
  // (size, size): the gain of each pair with the best choice.
  void best(const ClassGains& gains, std::vector<float>& total) const;
  Choice choose(const ClassGains& gains, int64_t i, int64_t j) const;
  // The factor of a class.
  float factor(int sign_class, const Choice& choice) const noexcept;

 private:
  struct Class {
    int number;
    uint32_t flips;  // of the component's generators, a bit each
  };
  struct Shifted {
    std::vector<float> a, b;  // (size, per_item)
    int64_t per_item = 0;
    double half_turn = 0;
    uint32_t flips = 0;
    int place = 0;
  };
  struct Turned {
    int phase;
    int parity;  // of the component's generators; -1: odd turns are not distinguished
    std::vector<Shifted> shifted;
  };
  // Generators that cannot be chosen alone.
  struct Component {
    std::vector<int> generators;
    std::vector<Class> classes;
    std::vector<Turned> phases;
  };
  double value(const Component& c, const ClassGains& gains, int64_t i, int64_t j, uint32_t flipped,
               std::vector<int32_t>* turns) const;
  uint32_t best_flips(const Component& c, const ClassGains& gains, int64_t i, int64_t j, double& value) const;

  const Unit* unit_;
  int64_t generators_ = 0;
  size_t phases_ = 0;
  std::vector<Component> components_;
};

}  // namespace dws::align
