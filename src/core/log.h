// Logging to stderr (spdlog inside log.cc). stdout is for data.
#pragma once

#include <string>
#include <string_view>

namespace dws {

enum class LogLevel { trace, debug, info, warn, error, off };

// Throws Error{usage} for an unknown name.
LogLevel parse_log_level(std::string_view name);
void set_log_level(LogLevel level);
// Also writes every message to `path` (appending).
void set_log_file(const std::string& path);

void log_debug(const std::string& message);
void log_info(const std::string& message);
void log_warn(const std::string& message);

}  // namespace dws
