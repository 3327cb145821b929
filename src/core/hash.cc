#include "core/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <new>

#include "core/text.h"

namespace dws {

namespace {

// High word first: the canonical order that xxhsum prints.
std::string digest(const XXH128_hash_t& hash) {
  return text("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

std::string hash_bytes(Bytes bytes) {
  return digest(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hash_file(const std::string& path) {
  // Piece by piece, so that a large file does not count as this process's memory.
  constexpr size_t kPiece = 4 << 20;
  const MappedFile file(path);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  for (Bytes rest = file.bytes(); !rest.empty();) {
    const Bytes piece = rest.first(std::min(kPiece, rest.size()));
    XXH3_128bits_update(state.get(), piece.data(), piece.size());
    file.release(piece);
    rest = rest.subspan(piece.size());
  }
  return digest(XXH3_128bits_digest(state.get()));
}

}  // namespace dws
