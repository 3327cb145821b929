// A written model: what did not change is the same bytes.
#include "format/onnx_write.h"
#include "core/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "onnx_builder.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using testing::bytes_of;
using testing::small_model;

class OnnxWrite : public ::testing::Test {
 protected:
  void SetUp() override {
    folder =
        fs::path(::testing::TempDir()) / ("dws_onnx_write_" + std::to_string(::getpid()) +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder / "in");
    fs::create_directories(folder / "out");
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string in(const std::string& name) const { return (folder / "in" / name).string(); }
  std::string out(const std::string& name) const { return (folder / "out" / name).string(); }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static ErrorKind kind_of(const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::internal;
  }
  static std::vector<std::byte> floats(const std::vector<float>& values) {
    const Bytes bytes = std::as_bytes(std::span(values));
    return {bytes.begin(), bytes.end()};
  }
  static std::string bytes_as_text(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }
  fs::path folder;
};

TEST_F(OnnxWrite, ACopyIsTheSameBytes) {
  write(in("a.onnx"), small_model().SerializeAsString());
  write_onnx(Onnx::open(in("a.onnx")), out("a.onnx"), {}, false);
  EXPECT_EQ(read_text(out("a.onnx")), read_text(in("a.onnx")));
  EXPECT_EQ(kind_of([&] { write_onnx(Onnx::open(in("a.onnx")), out("a.onnx"), {}, false); }),
            ErrorKind::exists);
}

TEST_F(OnnxWrite, EveryModelOfTheStandardsTestData) {
  const fs::path data = "/usr/share/libonnx-testdata/data";
  if (!fs::exists(data)) GTEST_SKIP() << "libonnx-testdata is not installed";
  int copied = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    if (entry.path().extension() != ".onnx") continue;
    write_onnx(Onnx::open(entry.path().string()), out("copy.onnx"), {}, true);
    ASSERT_EQ(read_text(out("copy.onnx")), read_text(entry.path().string())) << entry.path();
    ++copied;
  }
  EXPECT_GT(copied, 900);
}

TEST_F(OnnxWrite, OnlyTheChangedNumbersDiffer) {
  // Raw, typed and packed, typed and not packed: the last cannot be overwritten in place.
  onnx::ModelProto model = small_model();
  onnx::TensorProto* b = model.mutable_graph()->mutable_initializer(1);
  b->clear_raw_data();
  b->add_float_data(7);
  b->add_float_data(8);
  write(in("a.onnx"), model.SerializeAsString());
  const Onnx before = Onnx::open(in("a.onnx"));
  const auto& tensors = before.graph().initializers;
  write_onnx(before, out("a.onnx"),
             {{tensors[1].bytes, floats({-1, -2})}, {tensors[0].bytes, floats({6, 5, 4, 3, 2, 1})}}, false);
  const Onnx after = Onnx::open(out("a.onnx"));
  float read_back[6];
  std::memcpy(read_back, after.graph().initializers[0].bytes.data(), sizeof read_back);
  EXPECT_EQ(read_back[0], 6);
  std::memcpy(read_back, after.graph().initializers[1].bytes.data(), 2 * sizeof(float));
  EXPECT_EQ(read_back[1], -2);
  const std::string old_bytes = read_text(in("a.onnx")), new_bytes = read_text(out("a.onnx"));
  ASSERT_EQ(old_bytes.size(), new_bytes.size());
  size_t different = 0;
  for (size_t i = 0; i < old_bytes.size(); ++i) different += old_bytes[i] != new_bytes[i];
  EXPECT_GT(different, 0u);
  EXPECT_LE(different, 8 * sizeof(float));
}

TEST_F(OnnxWrite, NumbersOfAnotherSizeAreRefused) {
  write(in("a.onnx"), small_model().SerializeAsString());
  const Onnx onnx = Onnx::open(in("a.onnx"));
  const std::vector<float> elsewhere(6);
  EXPECT_EQ(kind_of([&] {
              write_onnx(onnx, out("a.onnx"), {{onnx.graph().initializers[0].bytes, floats({1})}}, false);
            }),
            ErrorKind::mismatch);
  EXPECT_EQ(
      kind_of([&] {
        write_onnx(onnx, out("a.onnx"), {{std::as_bytes(std::span(elsewhere)), floats(elsewhere)}}, false);
      }),
      ErrorKind::mismatch);
  EXPECT_FALSE(fs::exists(out("a.onnx")));
}

class OnnxWriteExternal : public OnnxWrite {
 protected:
  void SetUp() override {
    OnnxWrite::SetUp();
    onnx::ModelProto model = small_model();
    onnx::TensorProto* w = model.mutable_graph()->mutable_initializer(0);
    w->clear_raw_data();
    w->set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] :
         {std::pair("location", "data/w.bin"), std::pair("offset", "4"), std::pair("length", "24")}) {
      auto* entry = w->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    write(in("a.onnx"), model.SerializeAsString());
    fs::create_directories(folder / "in" / "data");
    const float numbers[] = {0, 1, 2, 3, 4, 5, 6, 9};
    write(in("data/w.bin"), {reinterpret_cast<const char*>(numbers), sizeof numbers});
  }
};

TEST_F(OnnxWriteExternal, GoesBesideTheModelUnderTheSameName) {
  const Onnx onnx = Onnx::open(in("a.onnx"));
  write_onnx(onnx, out("a.onnx"), {{onnx.graph().initializers[0].bytes, floats({6, 5, 4, 3, 2, 1})}}, false);
  EXPECT_EQ(read_text(out("a.onnx")), read_text(in("a.onnx")));
  float numbers[8];
  const std::string data = read_text(out("data/w.bin"));
  ASSERT_EQ(data.size(), sizeof numbers);
  std::memcpy(numbers, data.data(), sizeof numbers);
  EXPECT_EQ(numbers[0], 0);
  EXPECT_EQ(numbers[1], 6);
  EXPECT_EQ(numbers[7], 9);
}

TEST_F(OnnxWriteExternal, NeverInPlaceOfTheModelsOwn) {
  const Onnx onnx = Onnx::open(in("a.onnx"));
  const std::string before = read_text(in("data/w.bin"));
  const std::vector<Patch> patches = {{onnx.graph().initializers[0].bytes, floats({6, 5, 4, 3, 2, 1})}};
  EXPECT_EQ(kind_of([&] { write_onnx(onnx, in("b.onnx"), patches, true); }), ErrorKind::mismatch);
  EXPECT_EQ(read_text(in("data/w.bin")), before);
  EXPECT_FALSE(fs::exists(in("b.onnx")));
  write_onnx(onnx, in("b.onnx"), {}, false);  // unchanged, it is shared
  EXPECT_EQ(read_text(in("b.onnx")), read_text(in("a.onnx")));
}

TEST_F(OnnxWriteExternal, NeverThroughALink) {
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out" / "data");
  EXPECT_EQ(kind_of([&] { write_onnx(Onnx::open(in("a.onnx")), out("a.onnx"), {}, true); }),
            ErrorKind::path_escape);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST_F(OnnxWriteExternal, OneFileHasOneName) {
  // "./data/./w.bin" is the file of "data/w.bin": written once, with the changes of both tensors.
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_text(in("a.onnx"))));
  onnx::TensorProto& twin = *model.mutable_graph()->add_initializer();
  twin = model.graph().initializer(0);
  twin.set_name("twin");
  twin.set_dims(0, 1), twin.set_dims(1, 1);
  twin.mutable_external_data(0)->set_value("./data/./w.bin");
  twin.mutable_external_data(1)->set_value("28");
  twin.mutable_external_data(2)->set_value("4");
  write(in("a.onnx"), model.SerializeAsString());
  const Onnx onnx = Onnx::open(in("a.onnx"));
  EXPECT_EQ(onnx.external_files().size(), 1u);
  write_onnx(onnx, out("a.onnx"),
             {{onnx.graph().initializers[0].bytes, floats({6, 5, 4, 3, 2, 1})},
              {onnx.graph().initializers[2].bytes, floats({-9})}},
             false);
  EXPECT_EQ(read_text(out("data/w.bin")), bytes_as_text({0, 6, 5, 4, 3, 2, 1, -9}));
}

TEST_F(OnnxWriteExternal, TensorsThatShareNumbersGetTheSame) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_text(in("a.onnx"))));
  onnx::TensorProto& twin = *model.mutable_graph()->add_initializer();
  twin = model.graph().initializer(0);
  twin.set_name("twin");
  onnx::TensorProto& part = *model.mutable_graph()->add_initializer();
  part = twin;
  part.set_name("part");
  part.set_dims(0, 1);
  part.mutable_external_data(1)->set_value("8");
  part.mutable_external_data(2)->set_value("12");
  write(in("a.onnx"), model.SerializeAsString());
  const Onnx onnx = Onnx::open(in("a.onnx"));
  const auto& t = onnx.graph().initializers;
  const auto one = floats({6, 5, 4, 3, 2, 1});
  write_onnx(onnx, out("a.onnx"), {{t[0].bytes, one}, {t[2].bytes, one}}, false);
  EXPECT_EQ(read_text(out("data/w.bin")), bytes_as_text({0, 6, 5, 4, 3, 2, 1, 9}));
  for (const std::vector<Patch>& patches :
       {std::vector<Patch>{{t[0].bytes, one}, {t[2].bytes, floats({1, 2, 3, 4, 5, 6})}},
        std::vector<Patch>{{t[0].bytes, one}, {t[3].bytes, floats({5, 4, 3})}}})
    EXPECT_EQ(kind_of([&] { write_onnx(onnx, out("a.onnx"), patches, true); }), ErrorKind::mismatch);
  EXPECT_EQ(read_text(out("data/w.bin")), bytes_as_text({0, 6, 5, 4, 3, 2, 1, 9}));
}

TEST_F(OnnxWriteExternal, NeverUnderTheNameOfTheData) {
  const Onnx onnx = Onnx::open(in("a.onnx"));
  fs::create_directories(out("data"));
  for (const char* name : {"w.bin", "./w.bin", "../data/w.bin"}) {
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(read_text(in("a.onnx"))));
    model.mutable_graph()->mutable_initializer(0)->mutable_external_data(0)->set_value("w.bin");
    write(in("data/a.onnx"), model.SerializeAsString());
    const Onnx beside = Onnx::open(in("data/a.onnx"));
    for (const bool force : {false, true})
      EXPECT_EQ(kind_of([&] { write_onnx(beside, out("data/") + name, {}, force); }), ErrorKind::mismatch)
          << name;
  }
  EXPECT_TRUE(fs::is_empty(out("data")));
}

TEST_F(OnnxWriteExternal, NeverThroughALinkToAFile) {
  fs::create_directories(out("data"));
  write((folder / "elsewhere").string(), "precious");
  fs::create_symlink(folder / "elsewhere", out("data/w.bin"));
  const Onnx onnx = Onnx::open(in("a.onnx"));
  EXPECT_EQ(kind_of([&] { write_onnx(onnx, out("a.onnx"), {}, true); }), ErrorKind::path_escape);
  EXPECT_EQ(read_text((folder / "elsewhere").string()), "precious");
  // A second name of another file is replaced, and the file stays.
  fs::remove(out("data/w.bin"));
  fs::create_hard_link(folder / "elsewhere", out("data/w.bin"));
  EXPECT_EQ(kind_of([&] { write_onnx(onnx, out("a.onnx"), {}, false); }), ErrorKind::exists);
  write_onnx(onnx, out("a.onnx"), {}, true);
  EXPECT_EQ(read_text((folder / "elsewhere").string()), "precious");
  EXPECT_EQ(read_text(out("data/w.bin")), read_text(in("data/w.bin")));
  // The model's own name too.
  fs::remove(out("a.onnx"));
  fs::create_symlink(folder / "elsewhere", out("a.onnx"));
  EXPECT_EQ(kind_of([&] { write_onnx(onnx, out("a.onnx"), {}, false); }), ErrorKind::exists);
  write_onnx(onnx, out("a.onnx"), {}, true);
  EXPECT_EQ(read_text((folder / "elsewhere").string()), "precious");
  EXPECT_FALSE(fs::is_symlink(out("a.onnx")));
}

TEST_F(OnnxWriteExternal, DataThatWasReadThroughALinkIsSharedOrCopied) {
  fs::rename(in("data/w.bin"), folder / "blob");
  fs::create_symlink("../../blob", in("data/w.bin"));
  const Onnx onnx = Onnx::open(in("a.onnx"), {.folder = {}, .follow_links = true});
  write_onnx(onnx, in("b.onnx"), {}, false);  // beside it, unchanged
  EXPECT_TRUE(fs::is_symlink(in("data/w.bin")));
  write_onnx(onnx, out("a.onnx"), {{onnx.graph().initializers[0].bytes, floats({6, 5, 4, 3, 2, 1})}}, false);
  EXPECT_FALSE(fs::is_symlink(out("data/w.bin")));
  EXPECT_EQ(read_text(out("data/w.bin")), bytes_as_text({0, 6, 5, 4, 3, 2, 1, 9}));
  EXPECT_EQ(read_text((folder / "blob").string()), bytes_as_text({0, 1, 2, 3, 4, 5, 6, 9}));
}

}  // namespace
}  // namespace dws
