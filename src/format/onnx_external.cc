// External data (docs/ExternalData.md): tensors in files beside the model. Their names come from a stranger.
#include <algorithm>
#include <charconv>

#include "core/sha1.h"
#include "core/text.h"
#include "format/onnx_parts.h"

namespace dws::format {
namespace {

struct Location {
  std::string file;  // without parts "."
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  std::string checksum;  // 40 small hexadecimal digits, or none
};

class LocationReader {
 public:
  LocationReader(const OnnxSource& source, const onnx::TensorProto& proto, const std::string& where)
      : source_(source), proto_(proto), where_(where) {}

  Location read() const {
    Location location;
    std::vector<std::string> seen;
    for (const auto& entry : proto_.external_data()) {
      if (std::find(seen.begin(), seen.end(), entry.key()) != seen.end())
        refuse(ErrorKind::duplicate_name, text("external_data says '{}' twice", escaped(entry.key())));
      seen.push_back(entry.key());
      if (entry.key() == "location")
        location.file = checked_name(entry.value());
      else if (entry.key() == "offset")
        location.offset = number(entry.key(), entry.value());
      else if (entry.key() == "length")
        location.length = number(entry.key(), entry.value());
      else if (entry.key() == "checksum")
        location.checksum = checksum(entry.value());
      else
        refuse(ErrorKind::bad_schema, text("external_data has an unknown key '{}'", escaped(entry.key())),
               "location, offset, length, checksum");
    }
    if (location.file.empty()) refuse(ErrorKind::bad_schema, "external_data without a location");
    return location;
  }

 private:
  [[noreturn]] void refuse(ErrorKind kind, const std::string& what, const std::string& expected = {}) const {
    fail(kind, {.file = source_.file, .what = what, .tensor = where_, .expected = expected});
  }

  std::string checked_name(const std::string& name) const {
    const auto escapes = [&](const char* why) {
      refuse(ErrorKind::path_escape, text("external data in '{}': {}", escaped(name), why),
             "a name inside the model's folder");
    };
    if (name.empty()) escapes("an empty name");
    if (name.find('\0') != std::string::npos) escapes("a NUL byte");
    if (name.find('\\') != std::string::npos) escapes("a backslash");
    if (name.front() == '/' || (name.size() > 1 && name[1] == ':')) escapes("an absolute name");
    std::string plain;  // one file has one name, or it would be written twice
    for (const std::string& part : split(name, '/')) {
      if (part == ".." || part.empty()) escapes("a part that leads elsewhere");
      if (part != ".") plain += (plain.empty() ? "" : "/") + part;
    }
    if (plain.empty()) escapes("the folder itself");
    return plain;
  }

  std::string checksum(const std::string& value) const {
    std::string digits;
    for (const char c : value) digits.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (digits.size() != 40 || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
      refuse(ErrorKind::bad_value, text("external_data's checksum is '{}'", escaped(value)),
             "40 hexadecimal digits of SHA-1");
    return digits;
  }

  // Canonical decimal: no sign, no space, no leading zero.
  uint64_t number(const std::string& key, const std::string& value) const {
    uint64_t parsed = 0;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, parsed);
    if (value.empty() || error != std::errc() || stop != end || (value.size() > 1 && value[0] == '0'))
      refuse(ErrorKind::bad_value, text("external_data's {} is '{}'", key, escaped(value)),
             "a decimal number below 2^64");
    return parsed;
  }

  const OnnxSource& source_;
  const onnx::TensorProto& proto_;
  const std::string& where_;
};

}  // namespace

Bytes read_external_data(OnnxSource& source, const onnx::TensorProto& proto, const std::string& where,
                         uint64_t size) {
  const Location location = LocationReader(source, proto, where).read();
  if (source.beside.folder.empty())
    fail(ErrorKind::missing_tensor,
         {.file = source.file, .what = "external data, and no folder to look for it", .tensor = where});
  auto at = source.external.find(location.file);
  if (at == source.external.end())
    at = source.external
             .emplace(location.file, MappedFile::open_inside(source.beside.folder, location.file,
                                                             source.beside.follow_links))
             .first;
  const Bytes all = at->second.bytes();
  const Failure failure{.file = at->second.path(),
                        .what = "external data does not fit the file",
                        .byte = location.offset,
                        .tensor = where};
  if (location.offset > all.size() || size > all.size() - location.offset) {
    Failure beyond = failure;
    beyond.expected = text("{} bytes", size);
    beyond.got = text("{}", location.offset > all.size() ? 0 : all.size() - location.offset);
    fail(ErrorKind::offset_range, beyond);
  }
  if (location.length && *location.length != size) {
    Failure other = failure;
    other.what = "external_data's length does not fit type and shape";
    other.expected = text("{}", size);
    other.got = text("{}", *location.length);
    fail(ErrorKind::size_mismatch, other);
  }
  if (!location.checksum.empty()) {  // of the whole file: read once, and only where somebody asks for it
    std::string& sum = source.checksums[location.file];
    if (sum.empty()) sum = sha1(at->second);
    if (sum != location.checksum)
      fail(ErrorKind::checksum, {.file = at->second.path(),
                                 .what = "not the file that the model means: its SHA-1 differs",
                                 .tensor = where,
                                 .expected = location.checksum,
                                 .got = sum});
  }
  return all.subspan(location.offset, size);
}

}  // namespace dws::format
