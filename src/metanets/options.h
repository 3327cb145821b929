// Reads a model's JSON configuration: typed, bounded, with a suggestion for a mistyped key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace dws {

// Ask for every key, then call finish(). All throw Error{usage} naming model and key.
class OptionReader {
 public:
  OptionReader(const Json& config, std::string model);
  int64_t integer(const std::string& key, int64_t fallback, int64_t low, int64_t high);
  double real(const std::string& key, double fallback, double low, double high);  // low <= value < high
  bool flag(const std::string& key, bool fallback);
  std::string choice(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& choices);
  std::vector<int64_t> integers(const std::string& key, std::vector<int64_t> fallback, int64_t low,
                                int64_t high);
  std::vector<std::string> choices(const std::string& key,
                                   const std::vector<std::string>& all);  // default: all
  // Refuses keys nobody asked for.
  void finish() const;

 private:
  const Json* find(const std::string& key);
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;
  const Json& config_;
  std::string model_;
  std::vector<std::string> known_;
};

Json to_json(const std::vector<int64_t>& numbers);

}  // namespace dws
