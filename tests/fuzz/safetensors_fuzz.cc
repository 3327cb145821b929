// What the reader accepts must be safe to use as it says.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "format/safetensors.h"
#include "fuzz.h"

using namespace dws;

namespace {

template <class T>
void read_all(const Safetensors& file, const TensorEntry& entry) {
  std::vector<T> out(static_cast<size_t>(entry.elements()));
  fuzz::accepted([&] { file.read(entry, std::span<T>(out)); });
}

void use(const Safetensors& file, Bytes input) {
  uint64_t at = 0;
  for (const TensorEntry& entry : file.tensors()) {
    fuzz::require(entry.begin == at, "entries tile the data");
    at = entry.end;
    fuzz::require(file.find(entry.name) == &entry, "every tensor is found by its name");
    const Bytes bytes = file.bytes(entry);
    fuzz::require(bytes.size() == entry.end - entry.begin, "bytes() has the size of the entry");
    fuzz::require(bytes.empty() || (bytes.data() >= input.data() &&
                                    bytes.data() + bytes.size() <= input.data() + input.size()),
                  "bytes lie inside the file");
    fuzz::require(entry.elements() >= 0, "element counts are not negative");
    fuzz::require(static_cast<uint64_t>(entry.elements()) * static_cast<uint64_t>(dtype_bits(entry.dtype)) ==
                      8 * bytes.size(),
                  "shape and size agree");
    read_all<float>(file, entry);
    read_all<double>(file, entry);
    read_all<int64_t>(file, entry);
    fuzz::require(entry.shape_str().size() >= 2, "a shape can be shown");
  }
  fuzz::require(input.size() >= 8 + at, "the data is inside the file");
  for (const auto& [key, value] : file.metadata()) {
    fuzz::require(file.meta(key) && *file.meta(key) == value, "metadata is found by its key");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input = fuzz::bytes_of(data, size);
  fuzz::accepted([&] { use(Safetensors::parse(input, "f"), input); });
  return 0;
}

#ifdef DWS_LIBFUZZER
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

uint64_t get_length(const uint8_t* data) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | data[i];
  return length;
}

}  // namespace

// Mostly keeps the length in front true, so that mutations reach the header's rules instead of failing at the
// door.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (seed % 8 == 0 || size < 8 || max_size < 64) return LLVMFuzzerMutate(data, size, max_size);
  const size_t length = static_cast<size_t>(std::min<uint64_t>(get_length(data), size - 8));
  std::string header(reinterpret_cast<const char*>(data) + 8, length);
  std::string rest(reinterpret_cast<const char*>(data) + 8 + length, size - 8 - length);
  std::string& part = seed % 8 < 7 ? header : rest;
  const size_t room = max_size - 8 - (size - 8 - part.size());
  const size_t used = part.size();
  part.resize(std::max(room, used));
  part.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(part.data()), used, part.size()));
  if (8 + header.size() + rest.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t i = 0; i < 8; ++i) data[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  std::memcpy(data + 8, header.data(), header.size());
  if (!rest.empty()) std::memcpy(data + 8 + header.size(), rest.data(), rest.size());
  return 8 + header.size() + rest.size();
}
#endif
