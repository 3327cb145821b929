#include "core/hash.h"

#include <xxhash.h>

#include "core/text.h"

namespace dws {

std::string hash_bytes(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  // High word first: the canonical order that xxhsum prints.
  return text("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_file(const std::string& path) {
  return hash_bytes(MappedFile(path).bytes());
}

}  // namespace dws
