#include "format/patch.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/text.h"

namespace dws::format {
namespace {
constexpr size_t kPiece = size_t{1} << 24;
}

bool inside(Bytes part, Bytes whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

std::vector<std::byte> new_numbers(const Patch& patch, const std::string& file) {
  std::vector<std::byte> numbers = patch.numbers();
  if (numbers.size() != patch.old.size())
    throw Error(ErrorKind::mismatch,
                text("{}: {} bytes for a tensor of {}", one_line(file), numbers.size(), patch.old.size()));
  return numbers;
}

void put_in_order(Patches& patches, const std::string& file) {
  std::ranges::sort(patches, {}, [](const Patch* p) { return p->old.data(); });
  Patches kept;
  for (const Patch* patch : patches) {
    if (patch->old.empty()) continue;
    const Patch* last = kept.empty() ? nullptr : kept.back();
    if (last && patch->old.data() < last->old.data() + last->old.size()) {
      const bool same = patch->old.data() == last->old.data() && patch->old.size() == last->old.size() &&
                        new_numbers(*patch, file) == new_numbers(*last, file);
      if (!same)
        throw Error(ErrorKind::mismatch,
                    text("{}: two tensors share numbers, and would get different ones", one_line(file)));
      continue;
    }
    kept.push_back(patch);
  }
  patches = std::move(kept);
}

void write_patched(AtomicFile& out, Bytes from, const Patches& patches, const std::string& file) {
  const auto copy = [&](const std::byte* begin, const std::byte* end) {
    for (; begin < end; begin += std::min<size_t>(kPiece, static_cast<size_t>(end - begin))) {
      check_interrupt();
      out.write(begin, std::min<size_t>(kPiece, static_cast<size_t>(end - begin)));
    }
  };
  const std::byte* at = from.data();
  for (const Patch* patch : patches) {
    if (!inside(patch->old, from)) continue;
    copy(at, patch->old.data());
    check_interrupt();
    const std::vector<std::byte> numbers = new_numbers(*patch, file);
    out.write(numbers.data(), numbers.size());
    at = patch->old.data() + patch->old.size();
  }
  copy(at, from.data() + from.size());
}

}  // namespace dws::format
