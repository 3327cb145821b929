#include "merge/as_it_is.h"

#include <algorithm>
#include <span>

#include "core/text.h"

namespace dws::merge {
namespace {

const Input& input_of(const Source& source, const std::vector<Input>& inputs) {
  return inputs[static_cast<size_t>(source.input)];
}

const InputTensor& tensor_of(const Source& source, const std::vector<Input>& inputs) {
  return *input_of(source, inputs).find(source.tensor);
}

}  // namespace

bool differ_in_rows(const InputTensor& a, const std::vector<int64_t>& b) {
  return !a.shape.empty() && a.shape.size() <= 2 && a.shape.size() == b.size() &&
         std::ranges::equal(std::span(a.shape).subspan(1), std::span(b).subspan(1));
}

void take_first(OutputTensor& out, const std::vector<Input>& inputs) {
  out.base.reset();
  out.sources.resize(1);
  out.sources.front().scale = 1;
  out.method = Method::passthrough;
  out.pad_rows = false;
  const InputTensor& from = tensor_of(out.sources.front(), inputs);
  out.shape = from.shape;
  out.copy = from.dtype == out.dtype;
}

void keep_one(OutputTensor& out, const std::vector<Input>& inputs, std::vector<std::string>& warnings) {
  if (out.base) out.sources.insert(out.sources.begin(), *out.base);
  const Source& kept = out.sources.front();
  const auto path = [&](const Source& s) { return one_line(input_of(s, inputs).path()); };
  for (const Source& s : out.sources)
    if ((s.input != kept.input || s.tensor != kept.tensor) &&
        !same_bytes(input_of(kept, inputs), tensor_of(kept, inputs), input_of(s, inputs),
                    tensor_of(s, inputs))) {
      warnings.push_back(text("tensor '{}' of type {} differs between {} and {}: that of {} is kept",
                              escaped(out.name), dtype_name(out.dtype), path(kept), path(s), path(kept)));
      break;
    }
  take_first(out, inputs);
}

}  // namespace dws::merge
