// dws convert: joins the pieces of a zoo, takes a part of one, or writes its networks as single files.
#include <algorithm>
#include <limits>
#include <memory>

#include "command.h"
#include "convert_network.h"
#include "core/atomic_folder.h"
#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/text.h"
#include "format/zoo.h"
#include "network_input.h"
#include "output.h"

namespace dws::tools {
namespace {

struct Place {
  size_t zoo;
  int64_t index, image_id, mixed_id;
};

// The networks of several zoos in one order.
struct Joined {
  std::vector<Zoo> zoos;
  std::vector<Place> places;
  Json source;  // of all
  mutable std::vector<float> numbers;
  mutable std::vector<PagesBehind> pages;  // one a zoo: the order keeps that of each zoo but for odd inputs

  const Zoo& zoo(const Place& place) const { return zoos[place.zoo]; }
  const float* read(int64_t i) const {
    check_interrupt();
    const Place& place = places[static_cast<size_t>(i)];
    zoo(place).read(place.index, numbers);
    pages[place.zoo].passed(place.index);
    return numbers.data();
  }
  // Of network i, which without a soft label has all of its label (as in `labels`, one a place).
  void soft_label(int64_t i, std::span<const int64_t> labels, std::span<float> row) const {
    const Place& place = places[static_cast<size_t>(i)];
    std::fill(row.begin(), row.end(), 0.0f);
    if (const int64_t classes = zoo(place).soft_classes(); classes > 0)
      zoo(place).soft_label(place.index, row.first(static_cast<size_t>(classes)));
    else
      row[static_cast<size_t>(labels[static_cast<size_t>(i)])] = 1;
  }
};

// Classes of the soft labels of the whole, 0 when no part has any.
int64_t soft_classes(const Joined& joined) {
  int64_t classes = 0;
  for (const Zoo& zoo : joined.zoos) classes = std::max(classes, zoo.soft_classes());
  if (classes == 0) return 0;
  for (const Place& place : joined.places) {
    const Zoo& zoo = joined.zoo(place);
    const int64_t label = zoo.has_labels() ? zoo.label(place.index) : -1;
    if (label < 0 && zoo.soft_classes() == 0)
      throw Error(ErrorKind::mismatch,
                  text("{}: has no label, where other networks have soft labels", zoo.name(place.index)));
    classes = std::max(classes, label + 1);
  }
  return classes;
}

// What the pieces' fits have in common: --shard, for one, is not true of the whole.
Json common_fit(const std::vector<Zoo>& zoos) {
  const Json& first = zoos.front().info().fit;
  if (!first.is_object()) return first;
  Json fit = Json::object();
  for (const auto& [key, value] : first.as_object()) {
    const auto same = [&](const Zoo& zoo) {
      const Json* other = zoo.info().fit.find(key);
      return other && other->dump() == value.dump();
    };
    if (std::all_of(zoos.begin(), zoos.end(), same)) fit.set(key, value);
  }
  return fit;
}

struct Convert {
  explicit Convert(const Globals& g) : globals(g) {}
  const Globals& globals;
  std::vector<std::string> inputs;
  std::string out, range;
  int64_t limit = 0;
  bool single = false, force = false, renumber = false;
  NetworkConversion network;

  int run() const;
  Joined join_inputs() const;
  void keep_images_apart(Joined& joined) const;
  void select(std::vector<Place>& places) const;
  void write_singles(const Joined& joined, ZooInfo info) const;
};

Joined Convert::join_inputs() const {
  Joined joined;
  for (const std::string& path : inputs) {
    Zoo zoo = Zoo::open(path);
    if (!joined.zoos.empty())
      joined.zoos.front().info().require_same_network(zoo.info(), joined.zoos.front().path(), path);
    for (int64_t i = 0; i < zoo.size(); ++i)
      joined.places.push_back({joined.zoos.size(), i, zoo.image_id(i), zoo.mixed_image_id(i)});
    joined.zoos.push_back(std::move(zoo));
  }
  keep_images_apart(joined);
  // Pieces made by --shard interleave; views of an image stay in their order.
  if (joined.zoos.size() > 1)
    std::stable_sort(joined.places.begin(), joined.places.end(),
                     [](const Place& a, const Place& b) { return a.image_id < b.image_id; });
  for (const Zoo& zoo : joined.zoos) joined.pages.emplace_back(zoo);
  joined.numbers.resize(static_cast<size_t>(joined.zoos.front().info().arch.param_count()));
  return joined;
}

// Image 7 of one source is not image 7 of another. With --renumber the images of each further source get the
// numbers after those before.
void Convert::keep_images_apart(Joined& joined) const {
  struct Source {
    Json json;
    std::string path;
    int64_t low = 0, high = -1, offset = 0;
  };
  constexpr int64_t kLargest = int64_t{1} << 53;  // sums stay far from overflow
  std::vector<Source> sources;
  std::vector<size_t> source_of;
  for (const Zoo& zoo : joined.zoos) {
    const Json& source = zoo.info().source;
    const auto same = [&](const Source& s) {
      return !(renumber && source.is_null()) && s.json.dump() == source.dump();
    };
    const auto found = std::find_if(sources.begin(), sources.end(), same);
    source_of.push_back(static_cast<size_t>(found - sources.begin()));
    if (found == sources.end()) sources.push_back({.json = source, .path = zoo.path()});
  }
  joined.source = sources.front().json;
  if (sources.size() == 1) return;
  if (!renumber)
    throw Error(ErrorKind::mismatch,
                text("{}: made from other images than {}: the numbers of their images would collide",
                     sources[1].path, sources[0].path),
                "use --renumber to give the images new numbers");
  for (const Place& place : joined.places) {
    Source& source = sources[source_of[place.zoo]];
    for (const int64_t id : {place.image_id, place.mixed_id}) {
      if (id < -kLargest || id > kLargest)
        throw Error(ErrorKind::resource_limit,
                    text("{}: image number {} is too large for --renumber", source.path, id));
      const bool first = source.high < source.low;
      source.low = first ? id : std::min(source.low, id);
      source.high = first ? id : std::max(source.high, id);
    }
  }
  for (size_t i = 1; i < sources.size(); ++i)
    sources[i].offset = sources[i - 1].high + sources[i - 1].offset + 1 - sources[i].low;
  for (Place& place : joined.places) {
    place.image_id += sources[source_of[place.zoo]].offset;
    place.mixed_id += sources[source_of[place.zoo]].offset;
  }
  joined.source = Json::array();
  for (const Source& source : sources) {
    if (source.json.is_array())
      for (const Json& one : source.json.as_array()) joined.source.push_back(one);
    else if (!source.json.is_null())
      joined.source.push_back(source.json);
  }
}

void Convert::select(std::vector<Place>& places) const {
  int64_t begin = 0, end = static_cast<int64_t>(places.size());
  if (!range.empty()) {
    const std::vector<std::string> ends = split(range, ':');
    if (ends.size() != 2)
      throw Error(ErrorKind::usage, text("--range {}: expected BEGIN:END", escaped(range)));
    if (!ends[0].empty()) begin = parse_int(ends[0], "--range");
    if (!ends[1].empty()) end = std::min<int64_t>(end, parse_int(ends[1], "--range"));
    if (begin < 0 || begin >= end)
      throw Error(ErrorKind::empty, text("--range {}: holds none of the {} networks", range, places.size()));
  }
  if (limit > 0) end = begin + std::min(limit, end - begin);
  places = std::vector<Place>(places.begin() + begin, places.begin() + end);
}

void Convert::write_singles(const Joined& joined, ZooInfo info) const {
  for (const Place& place : joined.places)
    if (place.mixed_id != place.image_id || joined.zoo(place).soft_classes() > 0)
      throw Error(ErrorKind::usage,
                  text("{}: --single cannot keep soft labels and the two images of a mixture",
                       joined.zoo(place).path()),
                  "keep the mixtures in a zoo");
  AtomicFolder folder(out);
  std::string table = "file,label,image_id\n";
  for (size_t i = 0; i < joined.places.size(); ++i) {
    const Place& place = joined.places[i];
    const std::string name = text("network_{:06}.safetensors", i);
    const float* numbers = joined.read(static_cast<int64_t>(i));
    const Zoo& zoo = joined.zoo(place);
    const std::optional<float> psnr = zoo.psnr(place.index);
    // What the arrays of a zoo say of a network, so that it comes back with it.
    info.summary = Json::object({{"networks", Json(1)}});
    if (psnr) info.summary = psnr_summary({*psnr});
    info.summary.set("image_id", place.image_id);
    const int64_t label = zoo.has_labels() ? zoo.label(place.index) : -1;
    if (label >= 0) info.summary.set("label", label);
    write_network(folder.file(name), info, {numbers, joined.numbers.size()}, {}, false);
    table += text("{},{},{}\n", name, label < 0 ? std::string() : text("{}", label), place.image_id);
  }
  write_text(folder.file("labels.csv"), table, false);
  folder.commit();
}

int Convert::run() const {
  const bool for_networks =
      !network.dtype.empty() || !network.shard_size.empty() || !network.source.graph.empty() || is_onnx(out);
  if (for_networks || std::ranges::any_of(inputs, is_network)) {
    if (inputs.size() > 1 || single || limit > 0 || renumber || !range.empty())
      throw Error(
          ErrorKind::usage,
          "a network is converted alone: --range, --limit, --single and --renumber are for zoos, --dtype, "
          "--shard-size and --graph are not");
    NetworkConversion conversion = network;
    conversion.out = out;
    conversion.force = force;
    convert_network(globals, inputs.front(), conversion);
    return 0;
  }
  if (!single) require_writable(out, force);
  Joined joined = join_inputs();
  select(joined.places);
  const auto count = static_cast<int64_t>(joined.places.size());
  ZooInfo info = joined.zoos.front().info();
  info.fit = common_fit(joined.zoos);
  info.source = joined.source;
  if (single) {
    write_singles(joined, info);
  } else {
    std::vector<int64_t> labels, images, mixed;
    std::vector<float> psnr;
    bool labelled = false;
    for (const Place& place : joined.places) {
      const Zoo& zoo = joined.zoo(place);
      labelled = labelled || zoo.has_labels();
      labels.push_back(zoo.has_labels() ? zoo.label(place.index) : -1);
      images.push_back(place.image_id);
      mixed.push_back(place.mixed_id);
      if (const std::optional<float> p = zoo.psnr(place.index)) psnr.push_back(*p);
    }
    if (static_cast<int64_t>(psnr.size()) != count) psnr.clear();
    info.summary = psnr_summary(psnr);
    ZooContent content;
    content.info = info;
    content.count = count;
    if (labelled) content.labels = labels;
    content.image_ids = images;
    content.psnr = psnr;
    if (mixed != images) content.mixed_image_ids = mixed;
    content.soft_classes = soft_classes(joined);
    if (content.soft_classes > 0)
      content.soft_label = [&](int64_t i, std::span<float> row) { joined.soft_label(i, labels, row); };
    content.context = &joined;
    content.network = [](const void* context, int64_t i) {
      return static_cast<const Joined*>(context)->read(i);
    };
    content.metadata = {{"dws.recipe", recipe(globals, inputs).dump()}};
    write_zoo(out, content, force);
  }
  log_info(text("{}: {} networks {}", out, count, info.arch.str()));
  return 0;
}

}  // namespace

void register_convert(Options& app, const Globals& globals, Run& run) {
  auto command = std::make_shared<Convert>(globals);
  Options* verb = app.add_subcommand(
      "convert", "join, cut and split zoos; networks between ONNX, safetensors, shards and number formats");
  verb->footer(
      "Example:\n  dws convert piece0.safetensors piece1.safetensors -o zoo.safetensors\n"
      "  dws convert zoo.safetensors --range 100:200 --single -o networks\n"
      "  dws convert model.safetensors -o shards --dtype bf16 --shard-size 2GB");
  Convert& c = *command;
  verb->add_option("FILE", c.inputs,
                   "zoos, single networks, folders of them; or one network: .onnx, .safetensors, a folder "
                   "of shards")
      ->required();
  verb->add_option(
          "-o,--output", c.out,
          "the zoo to write, or with --single the folder; of a network NAME.onnx, NAME.safetensors or "
          "a folder for shards")
      ->required();
  verb->add_option("--range", c.range, "BEGIN:END, networks to take after joining, END not included");
  verb->add_option("--limit", c.limit, "at most N networks")->check(positive_number());
  verb->add_flag("--renumber", c.renumber, "join zoos made from different images: theirs get new numbers");
  verb->add_option("--dtype", c.network.dtype, "of a network's floating numbers: f16, bf16, f32, f64");
  verb->add_option("--shard-size", c.network.shard_size, "bytes a shard, 500MB or 2GiB for example (5GB)");
  verb->add_option("--graph", c.network.source.graph, "the .onnx to put tensors of a safetensors file into");
  add_source_options(*verb, c.network.source);
  verb->add_flag("--single", c.single, "write each network to a file of its own, with labels.csv");
  verb->add_flag("--force", c.force, "overwrite the output");
  verb->callback([command, &run] { run = [command] { return command->run(); }; });
}

}  // namespace dws::tools
