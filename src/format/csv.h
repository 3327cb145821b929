// Lines of comma-separated values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dws::format {

// The fields of one line (without its end): RFC 4180 without line breaks inside fields. Throws
// Error{bad_schema} for a quote that is not closed or stands inside an unquoted field; the caller adds file
// and line.
std::vector<std::string> csv_fields(std::string_view line);

// The lines of a text: "\n" and "\r\n" end one; a UTF-8 byte order mark in front and an empty last line are
// dropped.
std::vector<std::string_view> text_lines(std::string_view content);

}  // namespace dws::format
