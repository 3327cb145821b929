// Parameters of the published DWS networks (github.com/AvivNavon/DWSNets, class DWSModelForClassification),
// by their names, folded into this network.
//
// The published layer has a module for every pair of tensors, each with a bias; ours has every independent
// coefficient once. The fold is linear: own = A published, with
// - FC, Gamma: 1 / (2 L), their biases likewise, summed into the one bias of the target;
// - Lambda: -1 / (2 L) of the global product (the published set layer subtracts);
// - lin_all, lin_n, lin_m, lin_both: 1 / (8 L); own element, pooled over inputs, over outputs, over both;
// - modules with one value for all output neurons (published blocks to weight L-1 from weight L-2 and from
//   biases before b_{L-2}): copies of it;
// - attention, skips, BatchNorm, classifier: 1.
// Its transpose takes gradients of our parameters to gradients of the published ones.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "format/safetensors.h"
#include "format/zoo.h"
#include "metanets/dws_net.h"

namespace dws {

class PublishedMap {
 public:
  struct Piece {
    std::string name;            // "clf.layer.0.weight"
    std::vector<int64_t> shape;  // as published: (out, in) for a weight
    int64_t offset = 0;          // into the published flat arrays
    int64_t size() const noexcept;
  };
  struct Term {
    int64_t published = 0, own = 0;
    double coefficient = 1;
  };

  const std::vector<Piece>& params() const noexcept { return params_; }
  const std::vector<Piece>& buffers() const noexcept { return buffers_; }
  int64_t param_count() const noexcept { return param_count_; }  // published numbers
  int64_t buffer_count() const noexcept { return buffer_count_; }

  // own = A published (overwritten), params in the flat order of the model; T is float or double.
  template <class T>
  void fold(std::span<const T> published, std::span<T> own) const;
  // published = A^T own (overwritten): gradients.
  template <class T>
  void pull_back(std::span<const T> own, std::span<T> published) const;
  // Running means and variances, one to one.
  template <class T>
  void fold_buffers(std::span<const T> published, std::span<T> own) const;

  // For the builder. Each returns the offset of the new piece.
  int64_t add_param(std::string name, std::vector<int64_t> shape);
  int64_t add_buffer(std::string name, std::vector<int64_t> shape);
  void add_term(Term term) { terms_.push_back(term); }
  void add_buffer_term(Term term) { buffer_terms_.push_back(term); }

 private:
  std::vector<Piece> params_, buffers_;
  std::vector<Term> terms_, buffer_terms_;
  int64_t param_count_ = 0, buffer_count_ = 0;
};

// The configuration of our network for published constructor arguments (hidden_dim, n_hidden, set_layer,
// reduction, bn, n_heads, diagonal, add_skip, add_layer_skip, n_fc_layers, n_out_fc_layers, dropout_rate;
// init_scale is ignored). Throws Error{usage} for an unknown one and for n_fc_layers > 1, which cannot
// be folded.
DwsConfig published_config(const Json& arguments, int64_t outputs);

// The map for a network built with published_config(). Throws Error{mismatch} for fewer than three weights,
// which the published code does not take.
template <class T>
PublishedMap published_map(const DwsNet<T>& net);

// Builds the network and fills it from tensors named `param_prefix` or `buffer_prefix` + published name (both
// empty for an exported state dict). Throws Error naming what is missing, has another shape or is
// left over.
template <class T>
std::unique_ptr<DwsNet<T>> read_published(const Safetensors& file, const MlpArch& arch, const Json& arguments,
                                          const std::string& param_prefix = {},
                                          const std::string& buffer_prefix = {});

}  // namespace dws
