#include "format/csv.h"

#include "core/error.h"

namespace dws::format {

std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  size_t i = 0;
  const auto bad = [&](const char* what) -> Error { return Error(ErrorKind::bad_schema, what); };
  while (i < line.size()) {
    std::string& field = fields.back();
    if (line[i] == ',') {
      fields.emplace_back();
      ++i;
    } else if (line[i] == '"') {
      if (!field.empty()) throw bad("a quote inside a field");
      bool open = true;
      for (++i; open; ++i) {
        if (i >= line.size()) throw bad("a quote is not closed");
        if (line[i] != '"') {
          field += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          field += line[i++];
        } else {
          open = false;
        }
      }
      if (i < line.size() && line[i] != ',') throw bad("text after a closing quote");
    } else {
      field += line[i++];
    }
  }
  return fields;
}

std::vector<std::string_view> text_lines(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  std::vector<std::string_view> lines;
  while (!content.empty()) {
    const size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    content.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace dws::format
