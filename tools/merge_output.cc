#include "merge_output.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/text.h"
#include "format/onnx_write.h"
#include "merge_repair.h"
#include "network_input.h"
#include "spooled.h"

namespace dws::tools {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kShard = 5'000'000'000;  // as the transformers library cuts

// The graph stays, so that its tensors must.
void require_graph_of(const merge::Plan& plan, const merge::Input& pattern, const std::string& out) {
  if (!pattern.onnx())
    throw Error(ErrorKind::usage, text("{}: tensors alone make no ONNX file", one_line(out)),
                "give an .onnx file first, or as --base");
  for (const merge::OutputTensor& t : plan.tensors) {
    const merge::InputTensor* old = pattern.find(t.name);
    if (!old || old->dtype != t.dtype || old->shape != t.shape)
      throw Error(ErrorKind::usage,
                  text("{}: tensor '{}' would have another type or shape than the graph says", one_line(out),
                       escaped(t.name)),
                  "write to NAME.safetensors");
  }
}

// Tensors that are copies and are not among `changed` are in the graph already.
void write_graph(const merge::Plan& plan, const merge::Input& pattern, const merge::PartialOutput& numbers,
                 const std::set<size_t>& changed, const MergeOutput& output,
                 const merge::Metadata& metadata) {
  std::vector<Patch> patches;
  for (size_t t = 0; t < plan.tensors.size(); ++t)
    if (!plan.tensors[t].copy || changed.contains(t))
      patches.push_back(
          {pattern.find(plan.tensors[t].name)->bytes, [&numbers, t] { return numbers.read(t); }});
  write_onnx(*pattern.onnx(), output.out, patches, output.force, metadata);
}

// What an earlier run has made is not lost to a mistake in the data for --repair.
void prepare(MergeRepair& repair, merge::PartialOutput& partial, const merge::Input& pattern,
             const std::string& out) {
  try {
    repair.prepare(partial, pattern, out);
  } catch (const Error&) {
    if (partial.done() > 0) partial.keep();
    throw;
  }
}

// Gives the numbers of the tensors that changed.
std::set<size_t> repair(MergeRepair& repair, const merge::Plan& plan, merge::PartialOutput& partial,
                        const merge::Input& pattern, const std::string& out) {
  std::vector<std::pair<size_t, std::vector<std::byte>>> numbers;
  std::set<size_t> changed;
  for (auto& [name, bytes] : repair.run(partial, pattern, out)) {
    const auto at = std::ranges::find(plan.tensors, name, &merge::OutputTensor::name);
    if (at == plan.tensors.end())
      throw Error(ErrorKind::internal, text("{}: no tensor '{}' to repair", one_line(out), escaped(name)));
    const auto tensor = static_cast<size_t>(at - plan.tensors.begin());
    numbers.emplace_back(tensor, std::move(bytes));
    changed.insert(tensor);
  }
  partial.amend(numbers);
  return changed;
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

bool MergeOutput::is_folder() const {
  return out != "-" && !is_onnx(out) && !out.ends_with(".safetensors");
}

void MergeOutput::require() const {
  if (out != "-") merge::require_output(out, is_folder(), force);
}

merge::ExecuteReport write_merged(merge::Plan& plan, const merge::Input& pattern, const MergeOutput& given,
                                  const Json& recipe, const std::string& identity, const Fill& fill) {
  MergeOutput output = given;
  std::optional<Spooled> spooled;
  if (given.out == "-") {
    spooled.emplace(Spooled::output(pattern.onnx() ? ".onnx" : ".safetensors"));
    output.out = spooled->path();
    output.resume = false;
  }
  const bool graph = is_onnx(output.out);
  if (graph) require_graph_of(plan, pattern, output.out);
  merge::Metadata metadata;
  if (!graph && pattern.checkpoint())
    for (const auto& [key, value] : pattern.metadata())
      if (key != "dws.recipe") metadata.emplace_back(key, value);
  metadata.emplace_back("dws.recipe", recipe.dump());
  // Of a graph the numbers are gathered under the temporary name, and then put into its bytes.
  merge::Layout layout =
      graph ? merge::single_file(plan, output.out, {}) : layout_of(plan, pattern, output, metadata);
  merge::PartialOutput partial(output.out, std::move(layout), identity, output.resume, output.force);
  if (partial.done() > 0)
    log_info(text("{}: {} of {} tensors are made already", one_line(output.out), partial.done(),
                  plan.tensors.size()));
  merge::ExecuteReport report;
  try {
    if (output.repair) prepare(*output.repair, partial, pattern, given.out);
    report = fill(partial, partial.done());
    std::set<size_t> changed;
    if (output.repair) changed = repair(*output.repair, plan, partial, pattern, given.out);
    if (graph) write_graph(plan, pattern, partial, changed, output, metadata);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted || spooled) throw;
    partial.keep();
    throw Error(ErrorKind::interrupted, error.what(), "the same command with --resume goes on from here");
  }
  if (!graph) partial.commit();
  if (spooled) spooled->send();
  return report;
}

merge::ExecuteReport write_merged(merge::Plan& plan, const std::vector<merge::Input>& inputs,
                                  const merge::Input& pattern, const MergeOutput& output,
                                  const Json& recipe) {
  merge::ExecuteOptions options;
  options.max_memory = parse_bytes(output.max_memory, "--max-memory");
  options.allow_nonfinite = output.allow_nonfinite;
  std::string inputs_text = recipe.at("inputs").dump();
  if (const Json* align = recipe.find("align")) inputs_text += align->dump();
  const std::string identity =
      merge::plan_hash(plan) + " " + hash_bytes(std::as_bytes(std::span(inputs_text)));
  return write_merged(plan, pattern, output, recipe, identity, [&](merge::Writer& writer, size_t first) {
    options.first = first;
    return merge::execute(plan, inputs, options, writer);
  });
}

}  // namespace dws::tools
