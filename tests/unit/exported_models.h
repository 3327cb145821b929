// The networks of tests/models.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace dws {

// The names of the ONNX files there, without their ending, sorted.
inline std::vector<std::string> exported_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(DWS_TEST_DATA) + "/../models"))
    if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace dws
