#include "core/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"

namespace dws {
namespace {

const std::vector<std::string> kNames{"trace", "debug", "info", "warn", "error", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// "%*" in a pattern: what a warning has in front, nothing for the rest.
class WarningPrefix : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    constexpr std::string_view kPrefix = "warning: ";
    if (message.level == spdlog::level::warn) out.append(kPrefix.data(), kPrefix.data() + kPrefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<WarningPrefix>(); }
};

// One logger on stderr and, once asked for, a file. spdlog's own default logger writes to stdout.
class Sinks {
 public:
  Sinks() : stderr_(std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<WarningPrefix>('*').set_pattern("dws: %*%v");
    stderr_->set_formatter(std::move(formatter));
    logger_ = std::make_shared<spdlog::logger>("dws", stderr_);
    logger_->set_level(spdlog::level::info);
  }

  void set_level(LogLevel level) {
    const std::lock_guard lock(mutex_);
    logger_->set_level(spdlog_level(level));
  }

  void set_file(const std::string& path) {
    std::shared_ptr<spdlog::sinks::basic_file_sink_mt> file;
    try {
      file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, /*truncate=*/false);
    } catch (const spdlog::spdlog_ex& error) {
      throw Error(ErrorKind::io, text("{}: cannot open the log file: {}", path, escaped(error.what(), 400)));
    }
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    // A new logger instead of another sink in the old one: its list of sinks is not guarded.
    const std::lock_guard lock(mutex_);
    auto logger = std::make_shared<spdlog::logger>("dws", spdlog::sinks_init_list{stderr_, file});
    logger->set_level(logger_->level());
    logger->flush_on(spdlog::level::trace);
    logger_ = std::move(logger);
  }

  void write(spdlog::level::level_enum level, const std::string& message) {
    std::shared_ptr<spdlog::logger> logger;
    {
      const std::lock_guard lock(mutex_);
      logger = logger_;
    }
    if (!logger->should_log(level)) return;
    hide_progress();
    logger->log(level, spdlog::string_view_t(message));
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<spdlog::sinks::stderr_sink_mt> stderr_;
  std::shared_ptr<spdlog::logger> logger_;
};

// Never destroyed: messages may come while the process ends.
Sinks& sinks() {
  static Sinks* const instance = new Sinks;
  return *instance;
}

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<LogLevel>(i);
  }
  const std::string near = nearest(name, kNames);
  throw Error(ErrorKind::usage,
              text("unknown log level '{}': expected one of {}", escaped(name), join(kNames, ", ")),
              near.empty() ? std::string() : text("did you mean '{}'?", near));
}

void set_log_level(LogLevel level) {
  sinks().set_level(level);
}
void set_log_file(const std::string& path) {
  sinks().set_file(path);
}

void log_debug(const std::string& message) {
  sinks().write(spdlog::level::debug, message);
}
void log_info(const std::string& message) {
  sinks().write(spdlog::level::info, message);
}
void log_warn(const std::string& message) {
  sinks().write(spdlog::level::warn, message);
}

}  // namespace dws
