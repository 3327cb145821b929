// A folder of single networks. Only names and labels are kept; each network's file is opened when it is read.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_set>

#include "core/file.h"
#include "core/text.h"
#include "format/csv.h"
#include "format/failure.h"
#include "format/zoo_source.h"

namespace dws::format {
namespace {

namespace fs = std::filesystem;

struct Member {
  std::string file;  // relative to the folder
  int64_t label = -1;
  int64_t image_id = 0;
  bool numbered = false;  // the table says which image
};

// One line of labels.csv being read.
struct Line {
  const std::string& file;
  size_t number;  // from 1

  [[noreturn]] void bad(ErrorKind kind, const std::string& what) const {
    throw Error(kind, text("{}: line {}: {}", file, number, what));
  }
  int64_t integer(const std::string& field, const char* what) const {
    const std::optional<int64_t> value = to_int(field);
    if (!value)
      bad(ErrorKind::bad_schema, text("{}: expected a whole number, got '{}'", what, escaped(field)));
    return *value;
  }
};

void check_inside(const std::string& file, const Line& line) {
  const fs::path path(file);
  if (file.empty()) line.bad(ErrorKind::bad_schema, "no file name");
  if (file.find('\0') != std::string::npos) line.bad(ErrorKind::bad_value, "a NUL byte in a file name");
  bool outside = path.is_absolute();
  for (const fs::path& part : path) outside = outside || part == "..";
  if (outside) {
    line.bad(ErrorKind::bad_value,
             text("'{}' leads out of the folder: expected a relative name without '..'", escaped(file)));
  }
}

bool is_header(const std::vector<std::string>& fields) {
  return fields.front() == "file";
}

// Columns file, label, image_id; the last one or two may be absent, a label may be empty (unknown).
std::vector<Member> read_members(const std::string& path) {
  const std::string content = read_text(path);
  std::vector<Member> members;
  std::unordered_set<std::string> seen;
  size_t number = 0;
  for (const std::string_view row : text_lines(content)) {
    const Line line{path, ++number};
    std::vector<std::string> fields;
    try {
      fields = csv_fields(row);
    } catch (const Error& error) {
      line.bad(error.kind(), error.what());
    }
    if (number == 1 && is_header(fields)) {
      const std::vector<std::string> known = {"file", "label", "image_id"};
      if (fields.size() > known.size() || !std::equal(fields.begin(), fields.end(), known.begin())) {
        line.bad(ErrorKind::bad_schema, "unknown columns: expected file,label or file,label,image_id");
      }
      continue;
    }
    if (fields.size() > 3) {
      line.bad(ErrorKind::bad_schema, text("too many fields: expected file,label, got {}", fields.size()));
    }
    Member member;
    member.file = fields[0];
    member.image_id = static_cast<int64_t>(members.size());
    check_inside(member.file, line);
    if (fields.size() > 1 && !fields[1].empty()) member.label = line.integer(fields[1], "label");
    if (member.label < -1) {
      line.bad(ErrorKind::bad_value,
               text("label: expected at least 0 (or -1 for unknown), got {}", member.label));
    }
    if (fields.size() > 2) {
      member.image_id = line.integer(fields[2], "image_id");
      member.numbered = true;
    }
    if (!seen.insert(member.file).second) {
      line.bad(ErrorKind::duplicate_name, text("'{}' is listed twice", escaped(member.file)));
    }
    members.push_back(std::move(member));
  }
  if (members.empty()) fail(ErrorKind::empty, {path, "lists no networks"});
  return members;
}

// Without labels.csv: every .safetensors file of the folder, sorted by name.
std::vector<Member> list_members(const std::string& folder) {
  std::vector<Member> members;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() == ".safetensors") members.push_back({.file = it->path().filename().string()});
  }
  if (code) fail(ErrorKind::io, {folder, "cannot list: " + code.message()});
  if (members.empty()) {
    fail(ErrorKind::empty, {.file = folder, .what = "holds neither labels.csv nor a .safetensors file"});
  }
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.file < b.file; });
  for (size_t i = 0; i < members.size(); ++i) members[i].image_id = static_cast<int64_t>(i);
  return members;
}

class FolderZoo : public ZooSource {
 public:
  explicit FolderZoo(const std::string& path) : path_(path) {
    const std::string table = (fs::path(path) / "labels.csv").string();
    members_ = fs::exists(table) ? read_members(table) : list_members(path);
    has_labels_ = std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.label >= 0; });
    has_image_ids_ =
        std::all_of(members_.begin(), members_.end(), [](const Member& m) { return m.numbered; });
    const NetworkFile first = open_member(0);
    info_ = first.info();
    info_.summary = Json();  // of one network only
    remark_ = first.remark();
  }

  const std::string& path() const noexcept override { return path_; }
  const ZooInfo& info() const noexcept override { return info_; }
  int64_t size() const noexcept override { return static_cast<int64_t>(members_.size()); }
  bool has_labels() const noexcept override { return has_labels_; }
  int64_t label(int64_t i) const override { return members_[static_cast<size_t>(i)].label; }
  int64_t image_id(int64_t i) const override { return members_[static_cast<size_t>(i)].image_id; }
  std::string name(int64_t i) const override {
    return (fs::path(path_) / members_[static_cast<size_t>(i)].file).string();
  }

  bool has_image_ids() const noexcept override { return has_image_ids_; }
  std::optional<float> psnr(int64_t i) const override { return open_member(i).psnr(); }
  std::string remark() const override { return remark_; }

  void read(int64_t i, std::span<float> out, bool finite) const override {
    const NetworkFile network = open_member(i);
    info_.require_same_network(network.info(), name(0), network.path());
    network.read(out, finite);
  }

 private:
  NetworkFile open_member(int64_t i) const {
    Safetensors file = Safetensors::open(name(i));
    if (is_stacked(file)) {
      fail(ErrorKind::mismatch, {.file = file.path(),
                                 .what = "holds stacked networks: expected one network a file",
                                 .advice = "give the zoo file itself instead of its folder"});
    }
    return NetworkFile(std::move(file));
  }

  std::string path_;
  ZooInfo info_;
  std::vector<Member> members_;
  std::string remark_;
  bool has_labels_ = false, has_image_ids_ = false;
};

}  // namespace

std::unique_ptr<ZooSource> open_folder(const std::string& path) {
  return std::make_unique<FolderZoo>(path);
}

}  // namespace dws::format
