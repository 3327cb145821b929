// What the ONNX reader refuses of external data, and what --follow-symlinks lets through. The list is in onnx_refused.h.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "onnx_refused.h"

namespace dws {
namespace {

using testing::Model;
using testing::small_model;
using testing::TempDir;
using testing::w;

// A model in a folder of its own whose W is external: 24 bytes.
struct External {
  TempDir dir;
  Model model = small_model();
  ExternalData options;
  External() {
    std::filesystem::create_directory(dir / "m");
    std::ofstream(dir / "m/w.bin", std::ios::binary) << std::string(24, '\0');
    std::ofstream(dir / "secret", std::ios::binary) << std::string(24, 's');
    w(model).clear_raw_data();
    w(model).set_data_location(onnx::TensorProto::EXTERNAL);
  }
  External& with(const std::string& key, const std::string& value) {
    auto* entry = w(model).add_external_data();
    entry->set_key(key), entry->set_value(value);
    return *this;
  }
  Onnx open() {
    std::ofstream(dir / "m/m.onnx", std::ios::binary) << model.SerializeAsString();
    return Onnx::open(dir / "m/m.onnx", options);
  }
  void refused(ErrorKind kind, const std::string& message) {
    testing::expect_error(
        kind, [&] { open(); }, message);
    try {
      open();
    } catch (const Error& e) {  // the file, and where it is about the tensor, its name
      EXPECT_EQ(std::string(e.what()).find(dir / "m"), 0u) << e.what();
    }
  }
};

TEST(OnnxRefused, NamesOfExternalDataThatLeadElsewhere) {
  // external: location missing, empty, absolute, "..", NUL, backslash, drive
  External().refused(ErrorKind::bad_schema, "external_data without a location (tensor 'W')");
  External().with("location", "").refused(ErrorKind::path_escape, "an empty name (tensor 'W')");
  for (const char* name :
       {"../secret", "sub/../../secret", "sub/../w.bin", "./../secret", "w.bin/..", "..", "/etc/passwd",
        "//w.bin", "a//b", "w.bin/", "C:/x", "c:w.bin", "a\\b", "..\\secret", "\\\\host\\share", ".", "./."})
    External()
        .with("location", name)
        .refused(ErrorKind::path_escape, "expected a name inside the model's folder");
  External()
      .with("location", std::string("w.bin\0x", 7))
      .refused(ErrorKind::path_escape, "w.bin\\x00x': a NUL byte");
  External().with("location", "absent.bin").refused(ErrorKind::io, "m/absent.bin: cannot open");
  External().with("location", "w.bin/x").refused(ErrorKind::io, "cannot open");
  External().with("location", std::string(5'000, 'x')).refused(ErrorKind::io, "cannot open");
  // The same without a name of the tensor's own: it is known by its place.
  External inside;
  auto* value = testing::add_node(*inside.model.mutable_graph(), "Constant", {}, {"c"})->add_attribute();
  value->set_name("value"), value->set_type(onnx::AttributeProto::TENSOR);
  inside.with("location", "w.bin");
  *value->mutable_t() = w(inside.model);
  value->mutable_t()->clear_name();
  value->mutable_t()->mutable_external_data(0)->set_value("../secret");
  inside.refused(ErrorKind::path_escape, "(tensor 'attribute 'value' of Constant node 'c'')");
}

TEST(OnnxRefused, FilesOfExternalDataThatAreNoFiles) {
  // external: link, hard link, FIFO, directory, device
  External link;
  ASSERT_EQ(::symlink((link.dir / "secret").c_str(), (link.dir / "m/link").c_str()), 0);
  link.with("location", "link").refused(ErrorKind::path_escape, "m/link: a symbolic link");
  External own;  // also to a file of the folder
  ASSERT_EQ(::symlink("w.bin", (own.dir / "m/link").c_str()), 0);
  own.with("location", "link").refused(ErrorKind::path_escape, "symbolic link");
  External folder;
  ASSERT_EQ(::symlink(folder.dir.path().c_str(), (folder.dir / "m/up").c_str()), 0);
  folder.with("location", "up/secret").refused(ErrorKind::path_escape, "symbolic link");
  External hard;
  ASSERT_EQ(::link((hard.dir / "secret").c_str(), (hard.dir / "m/hard").c_str()), 0);
  hard.with("location", "hard").refused(ErrorKind::path_escape, "second name");
  for (const bool follow : {false, true}) {
    External fifo;
    fifo.options.follow_links = follow;
    ASSERT_EQ(::mkfifo((fifo.dir / "m/fifo").c_str(), 0600), 0);
    fifo.with("location", "fifo").refused(ErrorKind::not_regular_file, "got a FIFO");
    External directory;
    directory.options.follow_links = follow;
    std::filesystem::create_directory(directory.dir / "m/d");
    directory.with("location", "d").refused(ErrorKind::not_regular_file, "got a directory");
    External device;
    device.options = {.folder = "/dev", .follow_links = follow};
    testing::expect_error(
        ErrorKind::not_regular_file, [&] { device.with("location", "zero").open(); },
        "/dev/zero: expected a regular file, got a device");
  }
}

TEST(OnnxRefused, PlacesInExternalData) {
  // external: offset and length not canonical
  for (const char* key : {"offset", "length"})
    for (const char* number : {"-4", "+5", "1e3", " 4", "4 ", "04", "05", "00", "", "18446744073709551616",
                               "4x", "0x4", "4.0", "99999999999999999999999999"})
      External()
          .with("location", "w.bin")
          .with(key, number)
          .refused(ErrorKind::bad_value, std::string("external_data's ") + key + " is '" + number +
                                             "' (tensor 'W'): expected a decimal");
  // external: beyond the file, length that does not fit
  External()
      .with("location", "w.bin")
      .with("offset", "1")
      .refused(
          ErrorKind::offset_range,
          "w.bin: external data does not fit the file at byte 1 (tensor 'W'): expected 24 bytes, got 23");
  for (const char* far : {"25", "9223372036854775807", "18446744073709551615", "18446744073709551592"})
    External()
        .with("location", "w.bin")
        .with("offset", far)
        .refused(ErrorKind::offset_range,
                 std::string("at byte ") + far + " (tensor 'W'): expected 24 bytes, got 0");
  for (const char* length : {"0", "23", "25", "18446744073709551615"})
    External()
        .with("location", "w.bin")
        .with("length", length)
        .refused(ErrorKind::size_mismatch, std::string("(tensor 'W'): expected 24, got ") + length);
  External huge;
  w(huge.model).set_dims(0, int64_t{1} << 50);
  huge.with("location", "w.bin").refused(ErrorKind::offset_range, "expected 13510798882111488 bytes, got 24");
  External nothing;  // an empty file has nothing to give
  std::ofstream(nothing.dir / "m/w.bin", std::ios::trunc).close();
  nothing.with("location", "w.bin").refused(ErrorKind::offset_range, "got 0");
  EXPECT_NO_THROW(External().with("location", "w.bin").with("offset", "0").with("length", "24").open());
  // external: a key twice or unknown
  for (const char* key : {"location", "offset", "length", "checksum"}) {
    External twice;
    twice.with("location", "w.bin");
    const std::string value = std::string(key) == "location"   ? "w.bin"
                              : std::string(key) == "checksum" ? std::string(40, '0')
                                                               : "0";
    if (std::string(key) != "location") twice.with(key, value);
    twice.with(key, value).refused(ErrorKind::duplicate_name, std::string("says '") + key + "' twice");
  }
  External()
      .with("location", "w.bin")
      .with("basepath", "/")
      .refused(ErrorKind::bad_schema, "unknown key 'basepath'");
}

TEST(OnnxRefused, ExternalDataAndMore) {  // external: external with inline data
  const auto refused = [](const std::function<void(onnx::TensorProto&)>& add, const std::string& field) {
    External both;
    add(w(both.model));
    both.with("location", "w.bin")
        .refused(ErrorKind::bad_schema, "its numbers are in " + field + " and in external_data (tensor 'W')");
  };
  refused([](auto& t) { t.set_raw_data(std::string(24, 'x')); }, "raw_data");
  refused([](auto& t) { t.set_raw_data(""); }, "raw_data");
  refused([](auto& t) { t.add_float_data(1); }, "float_data");
  refused([](auto& t) { t.add_int32_data(1); }, "int32_data");
  refused([](auto& t) { t.add_int64_data(1); }, "int64_data");
  refused([](auto& t) { t.add_double_data(1); }, "double_data");
  refused([](auto& t) { t.add_uint64_data(1); }, "uint64_data");
  refused([](auto& t) { t.add_string_data("x"); }, "string_data");
  External strings;
  w(strings.model).set_data_type(onnx::TensorProto::STRING);
  strings.with("location", "w.bin").refused(ErrorKind::bad_schema, "strings cannot be external data");
  // Bytes in memory have no folder.
  External none;
  none.with("location", "w.bin");
  testing::refuse_bytes(ErrorKind::missing_tensor, none.model.SerializeAsString(),
                        "no folder to look for it (tensor 'W')");
}

TEST(OnnxRefused, ChecksumsOfExternalData) {  // external: checksum
  // SHA-1 of 24 zero bytes.
  const std::string right = "d3399b7262fb56cb9ed053d68db9291c410839c4";
  EXPECT_NO_THROW(External().with("location", "w.bin").with("checksum", right).open());
  std::string capitals = right;
  for (char& c : capitals) c = static_cast<char>(std::toupper(c));
  EXPECT_NO_THROW(External().with("location", "w.bin").with("checksum", capitals).open());
  std::string wrong = right;
  wrong[0] = 'e';
  External()
      .with("location", "w.bin")
      .with("checksum", wrong)
      .refused(ErrorKind::checksum,
               "w.bin: not the file that the model means: its SHA-1 differs (tensor 'W'): expected " + wrong +
                   ", got " + right);
  for (const std::string& none : {std::string(), right.substr(1), right + "0", "g" + right.substr(1)})
    External()
        .with("location", "w.bin")
        .with("checksum", none)
        .refused(ErrorKind::bad_value, "expected 40 hexadecimal digits");
}

TEST(OnnxExternal, LinksAreFollowedWhereThatIsAskedFor) {
  // As caches of models are: names in one folder, links to files elsewhere, which may have several names.
  External cache;
  std::filesystem::create_directory(cache.dir / "blobs");
  std::filesystem::rename(cache.dir / "secret", cache.dir / "blobs/data");
  ASSERT_EQ(::link((cache.dir / "blobs/data").c_str(), (cache.dir / "blobs/again").c_str()), 0);
  ASSERT_EQ(::symlink("../blobs/data", (cache.dir / "m/w.data").c_str()), 0);
  cache.with("location", "w.data").refused(ErrorKind::path_escape, "symbolic link");
  cache.options.follow_links = true;
  EXPECT_EQ(cache.open().graph().initializers[0].bytes[23], std::byte{'s'});
  // The model is a link too; its data stands beside the link, not beside what it leads to.
  std::filesystem::rename(cache.dir / "m/m.onnx", cache.dir / "blobs/model");
  ASSERT_EQ(::symlink("../blobs/model", (cache.dir / "m/m.onnx").c_str()), 0);
  EXPECT_EQ(Onnx::open(cache.dir / "m/m.onnx", cache.options).graph().initializers[0].bytes.size(), 24u);
  // Names that lead elsewhere are still refused, and so are folders that are links.
  for (const char* name : {"../blobs/data", "/etc/passwd"}) {
    External other;
    other.options.follow_links = true;
    other.with("location", name).refused(ErrorKind::path_escape, "expected a name inside");
  }
  External folder;
  folder.options.follow_links = true;
  ASSERT_EQ(::symlink("..", (folder.dir / "m/up").c_str()), 0);
  folder.with("location", "up/secret").refused(ErrorKind::path_escape, "symbolic link");
  External hard;
  hard.options.follow_links = true;
  ASSERT_EQ(::link((hard.dir / "secret").c_str(), (hard.dir / "m/hard").c_str()), 0);
  EXPECT_NO_THROW(hard.with("location", "hard").open());
  External lost;
  lost.options.follow_links = true;
  ASSERT_EQ(::symlink("nowhere", (lost.dir / "m/lost").c_str()), 0);
  lost.with("location", "lost").refused(ErrorKind::io, "cannot open");
  External round;
  round.options.follow_links = true;
  ASSERT_EQ(::symlink("round", (round.dir / "m/round").c_str()), 0);
  round.with("location", "round").refused(ErrorKind::io, "cannot open");
  External device;
  device.options.follow_links = true;
  ASSERT_EQ(::symlink("/dev/zero", (device.dir / "m/zero").c_str()), 0);
  device.with("location", "zero").refused(ErrorKind::not_regular_file, "got a device");
}

}  // namespace
}  // namespace dws
