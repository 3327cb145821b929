// What the ONNX reader refuses, and how: each by a model that is right but for one thing.
#include <sys/stat.h>
#include <unistd.h>

#include "onnx_builder.h"
#include "testing.h"

namespace dws {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::bytes_of;
using testing::small_model;
using testing::TempDir;
using Model = onnx::ModelProto;

void refuse_bytes(ErrorKind kind, const std::string& file, const std::string& message) {
  testing::expect_error(
      kind, [&] { Onnx::parse(bytes_of(file), "m.onnx"); }, message);
}
void refuse(ErrorKind kind, const std::function<void(Model&)>& spoil, const std::string& message) {
  Model model = small_model();
  spoil(model);
  refuse_bytes(kind, model.SerializeAsString(), message);
}
onnx::TensorProto& w(Model& model) {
  return *model.mutable_graph()->mutable_initializer(0);
}

TEST(OnnxRefused, Container) {
  const std::string good = small_model().SerializeAsString();
  refuse_bytes(ErrorKind::truncated, "", "m.onnx: an empty file");
  for (size_t size = 1; size < good.size(); ++size) {
    const std::string cut = good.substr(0, size);
    EXPECT_THROW(Onnx::parse(bytes_of(cut), "m.onnx"), Error) << size;
  }
  refuse_bytes(ErrorKind::bad_protobuf, good + "x", "not an ONNX file");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x0b"), "at byte 0");  // a group
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
               "64 bits");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x3a\x7f"), "a length of 127 where 0 bytes are left");
  refuse_bytes(ErrorKind::bad_protobuf, std::string("\x00\x00", 2), "field number");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_graph(); }, "no graph");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_ir_version(); }, "no IR version");
  refuse(
      ErrorKind::resource_limit, [](Model& m) { m.set_ir_version(15); }, "expected at most 14, got 15");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.clear_opset_import(); }, "does not import");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { m.add_opset_import()->set_version(9); },
      "two versions of domain ''");
}

TEST(OnnxRefused, DeepNesting) {
  const auto nest = [](int depth) {
    onnx::ModelProto model = small_model();
    onnx::GraphProto* graph = model.mutable_graph();
    for (int i = 0; i < depth; ++i) {
      auto* body = add_node(*graph, "If", {}, {})->add_attribute();
      body->set_name("then_branch");
      body->set_type(onnx::AttributeProto::GRAPH);
      graph = body->mutable_g();
    }
    return model.SerializeAsString();
  };
  const std::string fine = nest(20);
  EXPECT_NO_THROW(Onnx::parse(bytes_of(fine), "m.onnx"));
  for (int depth : {32, 3000}) refuse_bytes(ErrorKind::resource_limit, nest(depth), "too deep");
}

TEST(OnnxRefused, Tensors) {
  refuse(
      ErrorKind::unknown_dtype, [](Model& m) { w(m).set_data_type(0); }, "'W'): expected 1 to 26, got 0");
  refuse(
      ErrorKind::unknown_dtype, [](Model& m) { w(m).set_data_type(99); }, "got 99");
  refuse(
      ErrorKind::bad_value, [](Model& m) { w(m).set_dims(0, -2); }, "negative dimension");
  refuse(
      ErrorKind::shape_overflow,
      [](Model& m) { w(m).set_dims(0, int64_t{1} << 33), w(m).set_dims(1, int64_t{1} << 33); },
      "does not fit");
  refuse(
      ErrorKind::shape_overflow,
      [](Model& m) {
        w(m).set_dims(0, int64_t{1} << 62), w(m).set_dims(1, 4), w(m).add_dims(0), w(m).clear_raw_data();
      },
      "does not fit");
  refuse(
      ErrorKind::size_mismatch, [](Model& m) { w(m).mutable_raw_data()->pop_back(); },
      "expected 24 bytes, got 23");
  refuse(
      ErrorKind::size_mismatch, [](Model& m) { w(m).mutable_raw_data()->push_back(0); },
      "expected 24 bytes, got 25");
  refuse(
      ErrorKind::size_mismatch, [](Model& m) { w(m).set_dims(0, 0); }, "expected 0 bytes, got 24");
  refuse(
      ErrorKind::truncated, [](Model& m) { w(m).clear_raw_data(); }, "no numbers");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).add_float_data(1); }, "in raw_data and in float_data");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).clear_raw_data(), w(m).add_double_data(1); },
      "expected float_data");
  refuse(
      ErrorKind::size_mismatch, [](Model& m) { w(m).clear_raw_data(), w(m).add_float_data(1); },
      "expected 6, got 1");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).set_data_type(onnx::TensorProto::STRING); },
      "strings cannot be raw");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).mutable_segment()->set_begin(1); }, "segments");
  refuse(
      ErrorKind::bad_schema, [](Model& m) { w(m).clear_name(); }, "initializer without a name");
  refuse(
      ErrorKind::duplicate_name, [](Model& m) { add_floats(*m.mutable_graph(), "W", {1}, {1}); },
      "two initializers");
  refuse(
      ErrorKind::resource_limit,
      [](Model& m) {
        for (int i = 0; i < 63; ++i) w(m).add_dims(1);
      },
      "too many dimensions");
  const auto narrow = [](int type, int value) {
    return [=](Model& m) {
      w(m).clear_raw_data(), w(m).clear_dims(), w(m).set_data_type(type), w(m).add_dims(1),
          w(m).add_int32_data(value);
    };
  };
  refuse(ErrorKind::bad_value, narrow(onnx::TensorProto::UINT8, 256), "int32_data[0] is no UINT8");
  refuse(ErrorKind::bad_value, narrow(onnx::TensorProto::INT8, -129), "no INT8");
  refuse(ErrorKind::bad_value, narrow(onnx::TensorProto::BOOL, 2), "no BOOL");
  refuse(ErrorKind::bad_value, narrow(onnx::TensorProto::FLOAT16, 0x10000), "no FLOAT16");
  refuse(
      ErrorKind::bad_value,
      [](Model& m) {
        w(m).clear_raw_data(), w(m).clear_dims(), w(m).set_data_type(onnx::TensorProto::UINT32),
            w(m).add_dims(1);
        w(m).add_uint64_data(uint64_t{1} << 32);
      },
      "no UINT32");
}

TEST(OnnxRefused, Graphs) {
  const auto graph = [](Model& m) -> onnx::GraphProto& { return *m.mutable_graph(); };
  refuse(
      ErrorKind::missing_tensor, [&](Model& m) { graph(m).mutable_node(0)->set_input(0, "nowhere"); },
      "reads 'nowhere'");
  refuse(
      ErrorKind::missing_tensor, [&](Model& m) { graph(m).mutable_node()->SwapElements(0, 1); }, "reads 'h'");
  refuse(
      ErrorKind::missing_tensor, [&](Model& m) { graph(m).mutable_output(0)->set_name("q"); }, "output 'q'");
  refuse(
      ErrorKind::duplicate_name, [&](Model& m) { add_node(graph(m), "Relu", {"h"}, {"y"}); }, "made twice");
  refuse(
      ErrorKind::duplicate_name, [&](Model& m) { *graph(m).add_input() = graph(m).input(0); }, "made twice");
  refuse(
      ErrorKind::bad_schema, [&](Model& m) { graph(m).mutable_node(1)->set_domain("far"); }, "domain 'far'");
  refuse(
      ErrorKind::bad_schema, [&](Model& m) { graph(m).mutable_node(1)->clear_op_type(); }, "no operator");
  refuse(
      ErrorKind::duplicate_name,
      [&](Model& m) { *graph(m).mutable_node(0)->add_attribute() = graph(m).node(0).attribute(0); },
      "two attributes 'transB'");
  refuse(
      ErrorKind::bad_schema, [&](Model& m) { graph(m).mutable_node(0)->mutable_attribute(0)->set_f(1); },
      "not of its type");
  // A name made inside a branch is not seen outside.
  refuse(
      ErrorKind::missing_tensor,
      [&](Model& m) {
        auto* branch = add_node(graph(m), "If", {"h"}, {"z"})->add_attribute();
        branch->set_name("then_branch");
        branch->set_type(onnx::AttributeProto::GRAPH);
        add_node(*branch->mutable_g(), "Relu", {"h"}, {"inside"});
        add_node(graph(m), "Relu", {"inside"}, {"out"});
      },
      "reads 'inside'");
}

// A model in a folder of its own whose W is external.
struct External {
  TempDir dir;
  Model model = small_model();
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
  void refused(ErrorKind kind, const std::string& message) {
    std::ofstream(dir / "m/m.onnx", std::ios::binary) << model.SerializeAsString();
    testing::expect_error(
        kind, [&] { Onnx::open(dir / "m/m.onnx"); }, message);
  }
};

TEST(OnnxRefused, NamesOfExternalDataThatLeadElsewhere) {
  for (const char* name :
       {"../secret", "sub/../../secret", "/etc/passwd", "a//b", "..", "C:/x", "a\\b", "./../secret"})
    External().with("location", name).refused(ErrorKind::path_escape, "inside the model's folder");
  External().with("location", std::string("w.bin\0x", 7)).refused(ErrorKind::path_escape, "NUL");
  External().with("location", "").refused(ErrorKind::path_escape, "empty");
  External().refused(ErrorKind::bad_schema, "without a location");
  External().with("location", "absent.bin").refused(ErrorKind::io, "cannot open");
}

TEST(OnnxRefused, FilesOfExternalDataThatAreNoFiles) {
  External link;
  ASSERT_EQ(::symlink((link.dir / "secret").c_str(), (link.dir / "m/link").c_str()), 0);
  link.with("location", "link").refused(ErrorKind::path_escape, "symbolic link");
  External folder;
  ASSERT_EQ(::symlink(folder.dir.path().c_str(), (folder.dir / "m/up").c_str()), 0);
  folder.with("location", "up/secret").refused(ErrorKind::path_escape, "symbolic link");
  External hard;
  ASSERT_EQ(::link((hard.dir / "secret").c_str(), (hard.dir / "m/hard").c_str()), 0);
  hard.with("location", "hard").refused(ErrorKind::path_escape, "second name");
  External fifo;
  ASSERT_EQ(::mkfifo((fifo.dir / "m/fifo").c_str(), 0600), 0);
  fifo.with("location", "fifo").refused(ErrorKind::not_regular_file, "a FIFO");
  External directory;
  std::filesystem::create_directory(directory.dir / "m/d");
  directory.with("location", "d").refused(ErrorKind::not_regular_file, "a directory");
}

TEST(OnnxRefused, PlacesInExternalData) {
  for (const char* number : {"-4", "1e3", " 4", "04", "", "18446744073709551616", "4x"}) {
    External one;
    one.with("location", "w.bin").with("offset", number).refused(ErrorKind::bad_value, "offset");
  }
  External()
      .with("location", "w.bin")
      .with("offset", "1")
      .refused(ErrorKind::offset_range, "expected 24 bytes, got 23");
  External()
      .with("location", "w.bin")
      .with("offset", "18446744073709551615")
      .refused(ErrorKind::offset_range, "got 0");
  External()
      .with("location", "w.bin")
      .with("length", "23")
      .refused(ErrorKind::size_mismatch, "expected 24, got 23");
  External().with("location", "w.bin").with("location", "w.bin").refused(ErrorKind::duplicate_name, "twice");
  External().with("location", "w.bin").with("basepath", "/").refused(ErrorKind::bad_schema, "unknown key");
  External both;
  w(both.model).set_raw_data(std::string(24, 'x'));
  both.with("location", "w.bin").refused(ErrorKind::bad_schema, "in raw_data");
}

}  // namespace
}  // namespace dws
