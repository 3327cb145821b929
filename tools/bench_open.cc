// Opening ONNX models of 2 GB: what that costs before any number is looked at.
#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include "bench.h"
#include "bench_files.h"
#include "core/error.h"
#include "core/text.h"
#include "format/onnx_wire.h"
#include "network/executor.h"
#include "symmetry/spec.h"
#include "temp_folder.h"

namespace dws::tools {
namespace {

constexpr int64_t kWidth = 8'192, kHidden = 32'000;  // two weights of 1.05 GB: below 2 GiB, protobuf's limit
constexpr uint64_t kWeight = uint64_t{kWidth} * kHidden * 4;

// Protobuf messages, as far as this file needs them.
std::string field(uint64_t number, const std::string& content) {
  std::string made;
  format::put_varint(number << 3 | 2, made);
  format::put_varint(content.size(), made);
  return made + content;
}
std::string field(uint64_t number, uint64_t value) {
  std::string made;
  format::put_varint(number << 3, made);
  format::put_varint(value, made);
  return made;
}
std::string head(uint64_t number, uint64_t size) {
  std::string made;
  format::put_varint(number << 3 | 2, made);
  format::put_varint(size, made);
  return made;
}
std::string value(const char* name) {
  return field(1, std::string(name)) +
         field(2, field(1, field(1, uint64_t{1}) + field(2, field(1, field(1, uint64_t{2})) +
                                                                field(1, field(1, uint64_t{kWidth})))));
}
std::string node(const char* op, const std::vector<std::string>& in, const char* out) {
  std::string made;
  for (const std::string& name : in) made += field(1, name);
  return field(1, made + field(2, std::string(out)) + field(4, std::string(op)));
}

// y = relu(x V) W in a folder of its own, in files with holes where the numbers are; gone with the object.
class SparseModel {
 public:
  explicit SparseModel(bool external) {
    const std::string graph = node("MatMul", {"x", "V"}, "h") + node("Relu", {"h"}, "r") +
                              node("MatMul", {"r", "W"}, "y") + field(11, value("x")) + field(12, value("y"));
    const std::array tensors = {tensor("V", kWidth, kHidden, external, 0),
                                tensor("W", kHidden, kWidth, external, kWeight)};
    uint64_t size = graph.size();
    for (const std::string& t : tensors) size += t.size() + (external ? 0 : kWeight);
    std::ofstream model(path(), std::ios::binary);
    model << field(1, uint64_t{8}) << field(8, field(2, uint64_t{13})) << head(7, size);
    for (const std::string& t : tensors) {
      model << t;
      if (!external) put_weight(model, t == tensors[0] ? 1 : 2);
    }
    model << graph;
    finish(model);
    if (!external) return;
    std::ofstream data(folder_.file("data"), std::ios::binary);
    for (const float first : {1, 2}) put_weight(data, first);
    finish(data);
  }
  std::string path() const { return folder_.file("model.onnx"); }

 private:
  // Of a tensor inside the file all but its numbers, which come next.
  static std::string tensor(const char* name, int64_t rows, int64_t columns, bool external, uint64_t offset) {
    std::string made = field(1, static_cast<uint64_t>(rows)) + field(1, static_cast<uint64_t>(columns)) +
                       field(2, uint64_t{1}) + field(8, std::string(name));
    if (!external) {
      made += head(9, kWeight);
      return head(5, made.size() + kWeight) + made;
    }
    const auto entry = [](const char* key, const std::string& word) {
      return field(13, field(1, std::string(key)) + field(2, word));
    };
    return field(
        5, made + entry("location", "data") + entry("offset", text("{}", offset)) + field(14, uint64_t{1}));
  }
  // Numbers that differ at once from those of the other.
  static void put_weight(std::ofstream& to, float first) {
    to.write(reinterpret_cast<const char*>(&first), sizeof first);
    to.seekp(static_cast<std::streamoff>(kWeight - sizeof first - 1), std::ios::cur);
    to.put('\0');
  }
  void finish(std::ofstream& file) const {
    file.close();
    if (!file) throw Error(ErrorKind::io, text("{}: cannot write a model of 2 GB with holes", path()));
  }

  TempFolder folder_;
};

Json open_2gb(const BenchContext& context, bool external) {
  const SparseModel model(external);
  double resident = 0;
  size_t groups = 0;
  const double before = resident_mib();
  const double seconds = best_seconds(context.seconds, [&] {
    const network::Network net = network::from_onnx(std::make_shared<const Onnx>(Onnx::open(model.path())));
    groups = symmetry::discover(net, network::input_shapes(net, {})).groups.size();
    resident = std::max(resident, resident_mib() - before);
  });
  return Json::object({{"seconds", seconds},
                       {"gigabytes", 2e-9 * static_cast<double>(kWeight)},
                       {"resident_mib", resident},
                       {"groups", static_cast<int64_t>(groups)},
                       {"threads", 1}});
}

}  // namespace

std::vector<BenchCase> bench_open() {
  return {{"open.2gb.inside", [](const BenchContext& context) { return open_2gb(context, false); }},
          {"open.2gb.external", [](const BenchContext& context) { return open_2gb(context, true); }}};
}

}  // namespace dws::tools
