#include "network/equation.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/text.h"

namespace dws::network {
namespace {

int letters_of(std::string_view part) {
  return static_cast<int>(std::ranges::count_if(part, [](char c) { return c != '.'; }));
}
std::vector<int> labels_of(std::string_view part, int rank) {
  std::vector<int> labels;
  bool dots = false;
  for (const char c : part) {
    if (c != '.') {
      labels.push_back(c);
    } else if (!dots) {
      dots = true;
      for (int k = rank - letters_of(part); k > 0; --k) labels.push_back(-k);
    }
  }
  return labels;
}

}  // namespace

Equation parse_equation(std::string_view text_, const std::vector<int>& ranks) {
  std::string words(text_);
  std::erase(words, ' ');
  const auto fail = [&] {
    throw Error(ErrorKind::bad_schema, text("equation '{}' does not fit its inputs", escaped(words)));
  };
  const size_t arrow = words.find("->");
  Equation e;
  std::map<int, int> times;
  int widest = 0;
  const std::vector<std::string> parts = split(std::string_view(words).substr(0, arrow), ',');
  if (parts.size() != ranks.size()) fail();
  for (size_t i = 0; i < parts.size(); ++i) {
    e.inputs.push_back(labels_of(parts[i], ranks[i]));
    if (e.inputs.back().size() != static_cast<size_t>(ranks[i])) fail();
    for (const int label : e.inputs.back()) {
      widest = std::max(widest, -label);
      ++times[label];
    }
  }
  if (arrow != std::string::npos) {
    const std::string_view right = std::string_view(words).substr(arrow + 2);
    e.output = labels_of(right, letters_of(right) + (right.find('.') == std::string_view::npos ? 0 : widest));
    for (const int label : e.output)
      if (!times.contains(label)) fail();
  } else {
    for (int k = widest; k > 0; --k) e.output.push_back(-k);
    for (const auto& [label, n] : times)
      if (label > 0 && n == 1) e.output.push_back(label);
  }
  return e;
}

}  // namespace dws::network
