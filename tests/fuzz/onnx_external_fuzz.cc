// A model with external data: the file "data" of a temporary folder, written anew for each input. The input is the size of the
// model (two bytes, little-endian), the model, and the rest is the data.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "format/onnx.h"
#include "fuzz.h"

using namespace dws;

namespace {

// The folder goes with the process.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dws-fuzz-XXXXXX").string();
    fuzz::require(::mkdtemp(pattern.data()) != nullptr, "a temporary folder is made");
    path_ = pattern;
    // What must never be read: beside the folder of the model, and through a link within it.
    std::filesystem::create_directory(path_ + "/model");
    write("secret", fuzz::bytes_of(reinterpret_cast<const uint8_t*>("secret!!"), 8));
    std::filesystem::create_symlink("../secret", path_ + "/model/link");
    std::filesystem::create_hard_link(path_ + "/secret", path_ + "/model/hard");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string model() const { return path_ + "/model"; }
  void write(const std::string& name, Bytes content) const {
    const int fd = ::open((path_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz::require(
        fd >= 0 && ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
        "the data is written");
    ::close(fd);
  }

 private:
  std::string path_;
};

bool inside(Bytes part, Bytes whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check(const Onnx& onnx, const OnnxTensor& tensor) {
  const auto bits =
      static_cast<uint64_t>(onnx_type_bits(tensor.type)) * static_cast<uint64_t>(tensor.elements());
  fuzz::require(tensor.bytes.size() == (bits + 7) / 8, "a tensor's bytes fit its shape");
  const auto& files = onnx.external_files();
  const bool mapped =
      std::ranges::any_of(files, [&](const auto& file) { return inside(tensor.bytes, file.second.bytes()); });
  fuzz::require(!tensor.external || mapped, "external data lies in a file of external data");
  fuzz::require(tensor.external || !mapped || tensor.bytes.empty(), "other numbers do not");
}
void check(const Onnx& onnx, const OnnxGraph& graph) {
  for (const OnnxTensor& tensor : graph.initializers) check(onnx, tensor);
  for (const OnnxNode& node : graph.nodes)
    for (const OnnxAttribute& attribute : node.attributes) {
      for (const OnnxTensor& tensor : attribute.tensors) check(onnx, tensor);
      for (const auto& inner : attribute.graphs) check(onnx, *inner);
    }
}
uint64_t sum_of(Bytes bytes) {
  uint64_t sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<uint64_t>(b);
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  if (size < 2) return 0;
  const size_t model_size = std::min<size_t>(size - 2, data[0] | static_cast<size_t>(data[1]) << 8);
  const Bytes model = fuzz::bytes_of(data + 2, model_size);
  folder.write("model/data", fuzz::bytes_of(data + 2 + model_size, size - 2 - model_size));
  fuzz::accepted([&] {
    const Onnx onnx = Onnx::parse(model, "f", {.folder = folder.model(), .follow_links = false});
    check(onnx, onnx.graph());
    for (const auto& [name, file] : onnx.external_files()) {
      fuzz::require(name == "data", "nothing but the data is read");
      (void)sum_of(file.bytes());  // whatever the address sanitizer sees of it
    }
  });
  return 0;
}
