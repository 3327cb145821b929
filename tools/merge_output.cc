#include "merge_output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/temporary_name.h"
#include "core/text.h"
#include "format/onnx_write.h"
#include "network_input.h"
#include "spooled.h"

namespace dws::tools {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kShard = 5'000'000'000;  // as the transformers library cuts

// A nameless file beside `beside` for all numbers, until they are put into the graph's bytes.
class Unnamed : public merge::Writer {
 public:
  Unnamed(const std::string& beside, const merge::Plan& plan) : path_(beside) {
    std::string name = folder_of(beside) + "/.dws-merge-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0) throw_errno(beside, "cannot write");
    ::unlink(name.c_str());
    uint64_t at = 0;
    for (const merge::OutputTensor& t : plan.tensors) {
      begin_.push_back(at);
      uint64_t size = static_cast<uint64_t>(dtype_bits(t.dtype)) / 8;
      for (const int64_t extent : t.shape) size *= static_cast<uint64_t>(extent);
      at += size;
    }
    begin_.push_back(at);
  }
  ~Unnamed() override { ::close(fd_); }
  void write(size_t tensor, uint64_t offset, const void* data, size_t size) override {
    write_at(fd_, data, size, begin_[tensor] + offset, path_);
  }
  std::vector<std::byte> read(size_t tensor) const {
    std::vector<std::byte> bytes(begin_[tensor + 1] - begin_[tensor]);
    for (size_t got = 0; got < bytes.size();) {
      const ssize_t n =
          ::pread(fd_, bytes.data() + got, bytes.size() - got, static_cast<off_t>(begin_[tensor] + got));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw_errno(path_, "cannot read what was written");
      got += static_cast<size_t>(n);
    }
    return bytes;
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::vector<uint64_t> begin_;
};

merge::ExecuteReport write_graph(const merge::Plan& plan, const merge::Input& pattern,
                                 const MergeOutput& output, const merge::Metadata& metadata,
                                 const Fill& fill) {
  if (!pattern.onnx())
    throw Error(ErrorKind::usage, text("{}: tensors alone make no ONNX file", one_line(output.out)),
                "give an .onnx file first, or as --base");
  if (output.resume)
    log_warn(text("{}: a graph is merged from the beginning, --resume or not", one_line(output.out)));
  require_writable(output.out, output.force);
  Unnamed numbers(output.out, plan);
  const merge::ExecuteReport report = fill(numbers, 0);
  std::vector<Patch> patches;
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    const merge::InputTensor* old = pattern.find(plan.tensors[t].name);
    if (!old || old->dtype != plan.tensors[t].dtype || old->shape != plan.tensors[t].shape)
      throw Error(ErrorKind::usage,
                  text("{}: tensor '{}' would have another type or shape than the graph says",
                       one_line(output.out), escaped(plan.tensors[t].name)),
                  "write to NAME.safetensors");
    if (!plan.tensors[t].copy) patches.push_back({old->bytes, [&numbers, t] { return numbers.read(t); }});
  }
  write_onnx(*pattern.onnx(), output.out, patches, output.force, metadata);
  return report;
}

merge::Layout layout_of(merge::Plan& plan, const merge::Input& pattern, const MergeOutput& output,
                        const merge::Metadata& metadata) {
  const std::string& out = output.out;
  if (out.ends_with(".safetensors")) {
    if (!output.shard_size.empty())
      throw Error(ErrorKind::usage, text("{}: --shard-size writes many files", one_line(out)),
                  "give -o the name of a new folder");
    return merge::single_file(plan, out, metadata);
  }
  const auto& checkpoint = pattern.checkpoint();
  const bool shards = checkpoint && checkpoint->sharded();
  if (!fs::path(out).extension().empty() && !shards && output.shard_size.empty())
    throw Error(
        ErrorKind::usage,
        text("{}: expected NAME.safetensors, NAME.onnx, or the name of a folder for shards", one_line(out)));
  std::vector<std::string> names;
  std::string index = "model.safetensors.index.json";
  if (shards && output.shard_size.empty()) {
    for (const Safetensors& file : checkpoint->files())
      names.push_back(fs::path(file.path()).filename().string());
    index = fs::path(checkpoint->index_path()).filename().string();
  } else {
    const uint64_t size = output.shard_size.empty() ? kShard : parse_bytes(output.shard_size, "--shard-size");
    if (size == 0) throw Error(ErrorKind::usage, "--shard-size 0: expected a size, 5GB for one");
    names = merge::cut_into_shards(plan, size);
  }
  merge::Layout layout = merge::sharded(plan, names, index, out, metadata);
  const merge::Companions beside = output.companions ? *output.companions
                                   : checkpoint      ? merge::companions(*checkpoint)
                                                     : merge::Companions{};
  layout.extras.insert(layout.extras.end(), beside.begin(), beside.end());
  return layout;
}

}  // namespace

merge::ExecuteReport write_merged(merge::Plan& plan, const merge::Input& pattern, const MergeOutput& given,
                                  const Json& recipe, const std::string& identity, const Fill& fill) {
  MergeOutput output = given;
  std::optional<Spooled> spooled;
  if (given.out == "-") {
    spooled.emplace(Spooled::output(pattern.onnx() ? ".onnx" : ".safetensors"));
    output.out = spooled->path();
    output.resume = false;
  }
  merge::Metadata metadata;
  merge::ExecuteReport report;
  if (is_onnx(output.out)) {
    report = write_graph(plan, pattern, output, {{"dws.recipe", recipe.dump()}}, fill);
  } else {
    if (pattern.checkpoint())
      for (const auto& [key, value] : pattern.metadata())
        if (key != "dws.recipe") metadata.emplace_back(key, value);
    metadata.emplace_back("dws.recipe", recipe.dump());
    merge::Layout layout = layout_of(plan, pattern, output, metadata);
    merge::PartialOutput partial(output.out, std::move(layout), identity, output.resume, output.force);
    if (partial.done() > 0)
      log_info(text("{}: {} of {} tensors are made already", one_line(output.out), partial.done(),
                    plan.tensors.size()));
    try {
      report = fill(partial, partial.done());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted || spooled) throw;
      partial.keep();
      throw Error(ErrorKind::interrupted, error.what(), "the same command with --resume goes on from here");
    }
    partial.commit();
  }
  if (spooled) spooled->send();
  return report;
}

merge::ExecuteReport write_merged(merge::Plan& plan, const std::vector<merge::Input>& inputs,
                                  const merge::Input& pattern, const MergeOutput& output,
                                  const Json& recipe) {
  merge::ExecuteOptions options;
  options.max_memory = parse_bytes(output.max_memory, "--max-memory");
  options.allow_nonfinite = output.allow_nonfinite;
  const std::string inputs_text = recipe.at("inputs").dump();
  const std::string identity =
      merge::plan_hash(plan) + " " + hash_bytes(std::as_bytes(std::span(inputs_text)));
  return write_merged(plan, pattern, output, recipe, identity, [&](merge::Writer& writer, size_t first) {
    options.first = first;
    return merge::execute(plan, inputs, options, writer);
  });
}

}  // namespace dws::tools
