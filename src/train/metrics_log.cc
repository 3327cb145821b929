#include "train/metrics_log.h"

#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

namespace dws::train {

namespace {

// The epoch of a line that `run` wrote; nothing for any other line.
std::optional<int64_t> epoch_of(const std::string& line, const std::string& run) {
  try {
    const Json record = Json::parse(line, "line");
    if (record.at("schema").as_string() != "dws.train.epoch/1" || record.at("run").as_string() != run)
      return {};
    return record.at("epoch").as_int();
  } catch (const Error&) {
    return {};
  }
}

// The lines of the log that stay.
std::string lines_to_keep(const MetricsLogOptions& options) {
  const std::string log = read_text(options.path);
  std::string kept;
  size_t begin = 0, number = 0;
  while (begin < log.size()) {
    const size_t end = log.find('\n', begin);
    const std::string line = log.substr(begin, end - begin);
    ++number;
    const std::optional<int64_t> epoch = epoch_of(line, options.run);
    if (epoch && *epoch <= options.epochs) kept += line + "\n";
    // A last line without its end was cut short by a kill; ours begin so.
    const std::string_view start = R"({"schema":"dws.train.epoch/1")";
    const bool cut_short = end == std::string::npos && line.starts_with(start.substr(0, line.size()));
    if (!epoch && !cut_short && !options.force)
      throw Error(ErrorKind::exists,
                  text("{}: line {} is not an epoch of the run to resume", options.path, number),
                  "log to another file, or overwrite this one with --force");
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(const MetricsLogOptions& options) : path_(options.path), run_(options.run) {
  if (path_.empty()) return;
  std::string kept;
  if (options.resumed && std::filesystem::exists(path_))
    kept = lines_to_keep(options);
  else
    require_writable(path_, options.force);
  write_text(path_, kept, true);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_) throw_errno(path_, "cannot write");
}

void MetricsLog::write(Json record) {
  if (!file_) return;
  record.set("run", run_);
  const std::string line = record.dump() + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    throw_errno(path_, "cannot write");
}

}  // namespace dws::train
