// A model that is read, expanded and looked at: shapes, symmetry, and a run where its values are small.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "format/onnx_numbers.h"
#include "format/onnx_rewrite.h"
#include "fuzz.h"
#include "network/executor.h"
#include "symmetry/verify.h"

using namespace dws;

namespace {

// Runs only what takes no time.
bool small(const std::vector<network::ArrayPtr>& shapes, const network::Network& net) {
  int64_t numbers = 0;
  for (const auto& a : shapes) {
    if (!a || __builtin_add_overflow(numbers, a->size(), &numbers)) return false;
    if (numbers > 20'000) return false;
  }
  return net.graph.nodes.size() < 50;
}

void use(const std::shared_ptr<const Onnx>& onnx) {
  const network::Network net = network::from_onnx(onnx);
  for (const auto& c : net.constants) {
    const auto bits = static_cast<uint64_t>(onnx_type_bits(c.type)) * static_cast<uint64_t>(c.elements());
    fuzz::require(c.bytes.size() == (bits + 7) / 8, "a constant's bytes fit its shape");
  }
  const std::vector<network::ArrayPtr> inputs = network::input_shapes(net, {});
  const std::vector<network::ArrayPtr> shapes = network::infer(net, inputs);
  const symmetry::Spec spec = symmetry::discover(net, inputs);
  fuzz::require(spec.coverage() >= 0 && spec.coverage() <= 1 + 1e-9, "the coverage is a share");
  const Json json = symmetry::to_json(spec);
  if (small(shapes, net)) {
    fuzz::accepted([&] { (void)symmetry::spec_from_json(json, "s"); });
    const symmetry::Verdict verdict = symmetry::verify(net, inputs, spec, {.trials = 1, .tolerance = 1e-6});
    (void)verdict;
  }
}

// The model with other numbers where it spells them out: only those are others.
std::string spelled_anew(const Onnx& onnx, const std::vector<std::vector<std::byte>>& numbers) {
  std::vector<format::MessageEdit> edits;
  for (size_t i = 0; i < numbers.size(); ++i)
    edits.push_back({onnx.spelled()[i].begin, onnx.spelled()[i].end,
                     format::with_numbers(onnx.file_bytes(), onnx.spelled()[i], numbers[i], "f")});
  const format::Rewritten rewritten = format::rewrite_messages(onnx.file_bytes(), std::move(edits), "f");
  std::string made;
  for (const Bytes piece : rewritten.pieces)
    made.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  return made;
}
Bytes bytes_of(const std::string& s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}
void spell(const Onnx& onnx) {
  std::vector<std::vector<std::byte>> old, turned;
  for (const OnnxSpelled& s : onnx.spelled()) {
    old.push_back(s.numbers);
    turned.emplace_back();
    const auto item = static_cast<std::ptrdiff_t>(s.item);
    for (auto at = s.numbers.end(); at != s.numbers.begin(); at -= item)
      turned.back().insert(turned.back().end(), at - item, at);
  }
  const auto holds = [](const Onnx& model, const std::vector<std::vector<std::byte>>& numbers) {
    fuzz::require(std::ranges::equal(model.spelled(), numbers, {}, &OnnxSpelled::numbers),
                  "the numbers are those that were written");
  };
  const std::string moved = spelled_anew(onnx, turned);
  std::shared_ptr<const Onnx> after;
  try {
    after = std::make_shared<const Onnx>(Onnx::parse(bytes_of(moved), "g"));
  } catch (const Error& e) {  // the indices of sparse tensors ascend
    fuzz::require(std::string_view(e.what()).find("sparse tensor") != std::string_view::npos,
                  "a model with other numbers is a model");
    return;
  }
  holds(*after, turned);
  const std::string back = spelled_anew(*after, old);
  const Onnx before = Onnx::parse(bytes_of(back), "h");
  holds(before, old);
  fuzz::require(spelled_anew(before, old) == back, "the same numbers are the same bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input = fuzz::bytes_of(data, size);
  std::shared_ptr<const Onnx> onnx;
  if (!fuzz::accepted([&] { onnx = std::make_shared<const Onnx>(Onnx::parse(input, "f")); })) return 0;
  spell(*onnx);
  fuzz::accepted([&] { use(onnx); });
  return 0;
}
