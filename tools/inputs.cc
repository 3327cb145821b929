// Small readers that several verbs use.
#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "output.h"

namespace dws::tools {

namespace fs = std::filesystem;

std::string hash_input(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return hash_file(path);
  std::vector<std::string> names;
  // labels.csv may name files of sub-folders.
  for (fs::recursive_directory_iterator it(path, ignored), end; it != end; it.increment(ignored))
    if (it->is_regular_file(ignored)) names.push_back(it->path().lexically_relative(path).string());
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names)
    all += name + "\n" + hash_file((fs::path(path) / name).string()) + "\n";
  return hash_bytes(std::as_bytes(std::span(all.data(), all.size())));
}

std::vector<std::string> read_class_names(const std::string& path) {
  std::vector<std::string> names = split(read_text(path), '\n');
  for (std::string& name : names)
    if (name.ends_with('\r')) name.pop_back();
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty()) throw Error(ErrorKind::empty, text("{}: holds no class names", path), "one name a line");
  std::set<std::string> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second)
      throw Error(ErrorKind::duplicate_name, text("{}: class '{}' is named twice", path, escaped(name)));
  return names;
}

std::vector<std::string> class_names(const std::string& file, int64_t classes) {
  std::vector<std::string> names;
  if (file.empty()) {
    for (int64_t i = 0; i < classes; ++i) names.push_back(text("{}", i));
    return names;
  }
  names = read_class_names(file);
  if (static_cast<int64_t>(names.size()) != classes)
    throw Error(ErrorKind::mismatch, text("{}: {} class names for {} classes", file, names.size(), classes));
  return names;
}

Json psnr_summary(const std::vector<float>& psnr) {
  if (psnr.empty()) return {};
  double sum = 0;
  for (float p : psnr) sum += p;
  Json json = Json::object();
  json.set("networks", static_cast<int64_t>(psnr.size()));
  json.set("psnr_mean", sum / static_cast<double>(psnr.size()));
  json.set("psnr_min", static_cast<double>(*std::min_element(psnr.begin(), psnr.end())));
  json.set("psnr_max", static_cast<double>(*std::max_element(psnr.begin(), psnr.end())));
  return json;
}

bool warn_if_assumed(const Zoo& zoo) {
  const ZooInfo& info = zoo.info();
  if (info.assumed)
    log_warn(text("{}: no metadata dws.zoo says how to evaluate it: taken for {} with omega {}", zoo.path(),
                  info.activation, info.omega));
  return info.assumed;
}

}  // namespace dws::tools
