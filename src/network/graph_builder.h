// Makes a Network out of stored tensors, node by node: for networks whose file has no graph.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "network/network.h"

namespace dws::network {

// What a file stores: tensors by name, and what keeps their bytes alive.
struct StoredTensors {
  std::string file;  // for messages
  std::vector<Constant> tensors;
  std::shared_ptr<const void> owner;
};

OnnxAttribute attribute(std::string_view name, int64_t value);
OnnxAttribute attribute(std::string_view name, double value);
OnnxAttribute attribute(std::string_view name, std::string_view value);
OnnxAttribute attribute(std::string_view name, std::vector<int64_t> values);

class GraphBuilder {
 public:
  // `about`: what builds ("recipe 'llama'"), for messages. Throws Error{duplicate_name}.
  GraphBuilder(StoredTensors stored, std::string about);

  // A free extent of an input is a symbol's name, "" where it is `fixed`.
  struct Extent {
    int64_t fixed = -1;
    std::string symbol{};
  };
  int input(const std::string& name, OnnxType type, const std::vector<Extent>& extents);
  void output(int value, const std::string& name);

  // A node of ONNX's own operators; the value it makes. `name` for messages: the tensor that it is about.
  int add(std::string_view op, std::vector<int> inputs, std::vector<OnnxAttribute> attributes = {},
          const std::string& name = {});
  std::vector<int> add_many(std::string_view op, std::vector<int> inputs, int outputs,
                            std::vector<OnnxAttribute> attributes = {}, const std::string& name = {});

  bool has(const std::string& tensor) const { return numbers_.contains(tensor); }
  // A tensor of the file, of any shape; counts as used. Floating tensors of another type than type() are cast to it. Throws
  // Error{missing_tensor}.
  int tensor(const std::string& name);
  const std::vector<int64_t>& dims(const std::string& tensor) const;
  // The same, of a shape whose extents are given, -1 for any. Throws Error{mismatch} naming the tensor.
  int tensor(const std::string& name, const std::vector<int64_t>& expected);
  int ints(const std::vector<int64_t>& values);     // (n) of int64
  int number(double value);                         // () of type()
  int numbers(const std::vector<double>& values);   // (n) of type()
  OnnxType type() const noexcept { return type_; }  // of most numbers that are stored

  // Channels of a value where known, else -1: what the next weight must fit.
  int64_t channels(int value) const;
  void set_channels(int value, int64_t channels) { channels_[value] = channels; }

  [[noreturn]] void fail(ErrorKind kind, const std::string& what, const std::string& advice = {}) const;
  [[noreturn]] void fail_at(const std::string& tensor, const std::string& what) const;  // Error{mismatch}

  void ignore(const std::string& tensor);  // it may be left over
  // Throws Error{mismatch} naming the first tensor that nothing used.
  Network take();

 private:
  struct Owner;
  int constant(Constant constant);
  int made(const char* what, OnnxType type, std::vector<int64_t> shape, std::vector<std::byte> bytes);
  int fresh(std::string name);

  Network net_;
  std::string about_;
  std::shared_ptr<Owner> owner_;
  std::vector<Constant> stored_;
  std::map<std::string, size_t> numbers_;
  std::vector<int> value_of_;  // of each stored tensor as it is used; kNone: not yet
  std::vector<bool> used_;
  std::map<int, int64_t> channels_;
  OnnxType type_ = OnnxType::f32;
};

}  // namespace dws::network
