#include "format/patch.h"

#include <algorithm>

namespace dws::format {

namespace {
constexpr size_t kPiece = size_t{1} << 24;
}

bool inside(Bytes part, Bytes whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void write_patched(Bytes from, std::vector<const Patch*> patches, const std::string& path, bool force) {
  std::ranges::sort(patches, {}, [](const Patch* p) { return p->old.data(); });
  AtomicFile out(path, force);
  const auto copy = [&](const std::byte* begin, const std::byte* end) {
    for (; begin < end; begin += std::min<size_t>(kPiece, static_cast<size_t>(end - begin)))
      out.write(begin, std::min<size_t>(kPiece, static_cast<size_t>(end - begin)));
  };
  const std::byte* at = from.data();
  for (const Patch* patch : patches) {
    copy(at, patch->old.data());
    out.write(patch->numbers.data(), patch->numbers.size());
    at = patch->old.data() + patch->old.size();
  }
  copy(at, from.data() + from.size());
  out.commit();
}

}  // namespace dws::format
