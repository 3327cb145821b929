#include <optional>

#include "core/text.h"
#include "format/csv.h"
#include "format/failure.h"
#include "format/image_kind.h"
#include "format/images.h"

namespace dws {

std::vector<int64_t> parse_text_labels(std::string_view content, const std::string& name) {
  std::vector<int64_t> labels;
  for (const std::string_view line : format::text_lines(content)) {
    const std::optional<int64_t> label = to_int(line);
    const auto bad = [&](ErrorKind kind, const char* expected) {
      format::fail(kind, {.file = name,
                          .what = text("label on line {}", labels.size() + 1),
                          .expected = expected,
                          .got = text("'{}'", escaped(line, 40))});
    };
    if (!label) bad(ErrorKind::bad_schema, "one whole number");
    if (*label < -1) bad(ErrorKind::bad_value, "at least 0, or -1 for unknown");
    labels.push_back(*label);
  }
  if (labels.empty()) format::fail(ErrorKind::empty, {name, "holds no labels"});
  return labels;
}

std::vector<int64_t> read_labels(const std::string& path) {
  const MappedFile file(path);
  switch (format::image_kind(file.bytes(), path)) {
    case format::ImageKind::cifar10:
      return parse_cifar10_labels(file.bytes(), path);
    case format::ImageKind::idx:
      return parse_idx_labels(file.bytes(), path);
    case format::ImageKind::png:
      format::fail(ErrorKind::bad_schema, {path, "a PNG file holds no labels"});
    case format::ImageKind::gzip:
      format::fail_compressed(path);
    case format::ImageKind::unknown:
      break;
  }
  return parse_text_labels({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path);
}

}  // namespace dws
