#include "tasknets/arch.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws {

namespace {

constexpr size_t kMostLayers = 1000;
constexpr int64_t kWidest = 65'536, kLargestKernel = 255;
const char* const kAdvice = "for example mlp:512,512, cnn:16,32s2,64,p,f128 or vgg:64";

[[noreturn]] void bad(const std::string& word, const std::string& what) {
  throw Error(ErrorKind::usage, text("--arch {}: {}", escaped(word), what), kAdvice);
}

// The number at `at`, which moves behind it.
int64_t number_at(const std::string& word, const std::string& item, size_t& at, int64_t most) {
  const size_t end = std::min(item.find_first_not_of("0123456789", at), item.size());
  const auto n = to_int(std::string_view(item).substr(at, end - at));
  if (!n || *n < 1 || *n > most)
    bad(word, text("'{}': expected a number from 1 to {}{}", escaped(item), most,
                   at > 0 ? text(" behind '{}'", item[at - 1]) : std::string()));
  at = end;
  return *n;
}

Arch::Layer parse_conv(const std::string& word, const std::string& item) {
  Arch::Layer layer{.kind = Arch::Kind::conv};
  size_t at = 0;
  layer.width = number_at(word, item, at, kWidest);
  while (at < item.size()) {
    const char what = item[at++];
    if (what == 'k')
      layer.kernel = number_at(word, item, at, kLargestKernel);
    else if (what == 's')
      layer.stride = number_at(word, item, at, kLargestKernel);
    else
      bad(word, text("'{}': a width is followed by kN (kernel) or sN (stride)", escaped(item)));
  }
  if (layer.kernel % 2 == 0) bad(word, text("'{}': an even kernel cannot be centred", escaped(item)));
  return layer;
}

}  // namespace

Arch parse_arch(const std::string& word) {
  const size_t colon = word.find(':');
  if (colon == std::string::npos) bad(word, "expected KIND:LAYERS");
  const std::string kind = word.substr(0, colon), rest = word.substr(colon + 1);
  Arch arch{.text = word, .of_pictures = kind != "mlp", .layers = {}};
  if (kind != "mlp" && kind != "cnn" && kind != "vgg")
    bad(word, text("'{}' is none of mlp, cnn, vgg", escaped(kind)));
  if (kind == "vgg") {
    size_t at = 0;
    const int64_t width = number_at(word, rest, at, kWidest / 4);
    if (at != rest.size()) bad(word, "vgg takes one width");
    for (const int64_t w : {width, 2 * width, 4 * width}) {
      for (int i = 0; i < 2; ++i) arch.layers.push_back({.kind = Arch::Kind::conv, .width = w});
      arch.layers.push_back({.kind = Arch::Kind::max_pool});
    }
    return arch;
  }
  if (rest.empty() && kind == "mlp") return arch;
  for (const std::string& item : split(rest, ',')) {
    if (arch.layers.size() == kMostLayers) bad(word, text("more than {} layers", kMostLayers));
    size_t at = kind == "mlp" ? 0 : 1;
    if (kind == "mlp" || item.starts_with('f')) {
      const int64_t width = number_at(word, item, at, kWidest);
      if (at != item.size()) bad(word, text("'{}' is no width", escaped(item)));
      arch.layers.push_back({.kind = Arch::Kind::linear, .width = width});
      continue;
    }
    if (!arch.layers.empty() && arch.layers.back().kind == Arch::Kind::linear)
      bad(word, text("'{}' behind a fully connected layer", escaped(item)));
    if (item == "p")
      arch.layers.push_back({.kind = Arch::Kind::max_pool});
    else if (item == "a")
      arch.layers.push_back({.kind = Arch::Kind::mean_pool});
    else
      arch.layers.push_back(parse_conv(word, item));
  }
  return arch;
}

}  // namespace dws
