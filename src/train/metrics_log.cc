#include "train/metrics_log.h"

#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

namespace dws::train {

namespace {

// The lines of `log` that belong to the first `epochs` epochs; a line cut short by a kill is none.
std::string lines_until(const std::string& log, int64_t epochs, const std::string& path) {
  std::string kept;
  for (const std::string& line : split(log, '\n')) {
    if (line.empty()) continue;
    try {
      const Json record = Json::parse(line, path);
      const Json* epoch = record.find("epoch");
      if (epoch && record.at("schema").as_string() == "dws.train.epoch/1" && epoch->as_int() <= epochs)
        kept += line + "\n";
    } catch (const Error&) {
      continue;
    }
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(std::string path, bool force, bool resumed, int64_t resumed_epochs) : path_(std::move(path)) {
  if (path_.empty()) return;
  std::string kept;
  if (resumed && std::filesystem::exists(path_))
    kept = lines_until(read_text(path_), resumed_epochs, path_);
  else
    require_writable(path_, force);
  write_text(path_, kept, true);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_) throw_errno(path_, "cannot write");
}

void MetricsLog::write(const Json& record) {
  if (!file_) return;
  const std::string line = record.dump() + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    throw_errno(path_, "cannot write");
}

}  // namespace dws::train
