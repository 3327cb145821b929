// How each operator passes on the factors of one leaf's items.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "symmetry/discovery.h"
#include "symmetry/scales.h"

namespace dws::symmetry {

// Who makes a value and how many read it.
class Uses {
 public:
  explicit Uses(const network::Network& network);
  const network::Node* maker(int value) const noexcept { return maker_[static_cast<size_t>(value)]; }
  int readers(int value) const noexcept { return readers_[static_cast<size_t>(value)]; }

 private:
  void see(const network::Graph& graph);
  std::vector<const network::Node*> maker_;
  std::vector<int> readers_;
};

// For each leaf the nodes that it passes through, in order: most nodes have nothing to do with most leaves.
class Passages {
 public:
  struct Passage {
    std::vector<const network::Node*> nodes;
  };
  explicit Passages(Discovery& d);
  const Passage& of(FactorId leaf) const;

 private:
  void see(Discovery& d, const network::Graph& graph);
  std::map<FactorId, Passage> passages_;
};

class LeafScales {
 public:
  struct Place {
    int axis, unknown;
    int64_t begin = 0;  // where the part of the axis begins in which the leaf lies
  };
  struct Sine {
    int in, out;
    int bias = network::kNone;  // the unknown of the bias that a shift is added to
    double half_turn = 0;
    std::vector<std::pair<int, double>>
        shifted{};  // values from there to the sine, and what a half turn is to them
  };

  LeafScales(Discovery& d, FactorId leaf);
  // Where the leaf lies, by axis. An axis of parts behind one another may have it in several (the heads of queries and keys in
  // one weight): each is a place.
  const std::vector<Place>& places(int value);
  int at(int value, int axis);  // the unknown there, or kNone; the only one, unless the rule knows of several
  std::vector<int> all_at(int value, int axis);
  bool several(const network::Node& node);  // whether any axis of the node's values has more than one
  // kNone on one side: the other is held at 1.
  void same(int x, int y);
  void inverse(int x, int y);
  // One by one; all held at 1 where there are not as many.
  void same(const std::vector<int>& x, const std::vector<int>& y);
  void inverse(const std::vector<int>& x, const std::vector<int>& y);
  void one(int x);
  void one_all(const network::Node& node);
  void product(int out, int a, int b, bool constant_b);  // out = a b
  void run(const Passages::Passage& passage);
  void settle_products();

  Discovery& discovery() noexcept { return d_; }
  FactorId leaf() const noexcept { return leaf_; }
  Unknowns positive, signs;  // of the same numbers
  std::vector<Sine> sines;
  const Uses* uses = nullptr;

 private:
  struct Product {
    int out, a, b;
    bool constant_b;
  };
  Discovery& d_;
  FactorId leaf_;
  std::map<int, std::vector<Place>> places_;
  std::vector<Product> products_;
};

// Rules that have a file of their own.
void linear_scale(LeafScales& s, const network::Node& node);
void pick_scale(LeafScales& s, const network::Node& node);
void split_scale(LeafScales& s, const network::Node& node);
void concat_scale(LeafScales& s, const network::Node& node);
void slice_scale(LeafScales& s, const network::Node& node);
void attention_scale(LeafScales& s, const network::Node& node);
void branch_scale(LeafScales& s, const network::Node& node);
void round_scale(LeafScales& s, const network::Node& node);
void matmul_nbits_scale(LeafScales& s, const network::Node& node);

// The rule of the node's operator; without one everything is held at 1.
void apply_scale_rule(LeafScales& s, const network::Node& node);

}  // namespace dws::symmetry
