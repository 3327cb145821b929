// dws render: implicit neural representations back to pictures.
#include "inr/render.h"

#include <filesystem>
#include <numeric>
#include <unordered_map>

#include "command.h"
#include "core/error.h"
#include "core/file.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "core/text.h"
#include "output.h"

namespace dws::tools {
namespace {

struct Settings {
  std::string zoo, out, grid, range, captions;
  int64_t size = 0, scale = 2;
  bool force = false;
};

// "A:B" of `count` networks, half open; either end may be missing.
std::vector<int64_t> parse_range(const std::string& word, int64_t count) {
  int64_t begin = 0, end = count;
  if (!word.empty()) {
    const std::vector<std::string> ends = split(word, ':');
    if (ends.size() != 2)
      throw Error(ErrorKind::usage, text("--range '{}': expected A:B", escaped(word)),
                  "for example --range 0:64");
    if (!ends[0].empty()) begin = parse_int(ends[0], "--range");
    if (!ends[1].empty()) end = parse_int(ends[1], "--range");
  }
  if (begin < 0 || end > count || begin >= end)
    throw Error(ErrorKind::usage, text("--range {}:{}: the zoo has networks 0:{}", begin, end, count));
  std::vector<int64_t> indices(static_cast<size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

SheetOptions parse_grid(const Settings& settings) {
  const std::vector<std::string> parts = split(settings.grid, 'x');
  if (parts.size() != 2)
    throw Error(ErrorKind::usage, text("--grid '{}': expected ROWSxCOLUMNS", escaped(settings.grid)),
                "for example --grid 8x12");
  SheetOptions options;
  options.rows = parse_int(parts[0], "--grid");
  options.columns = parse_int(parts[1], "--grid");
  options.scale = settings.scale;
  if (options.rows < 1 || options.columns < 1 || options.rows > 10000 || options.columns > 10000)
    throw Error(ErrorKind::usage,
                text("--grid {}: rows and columns must be 1 to 10000", escaped(settings.grid)));
  return options;
}

// What follows the last '#' of a network's name, or the name itself: classify may have been given another
// path to the same file.
std::string short_name(const std::string& name) {
  const size_t mark = name.rfind('#');
  return mark == std::string::npos ? name : name.substr(mark);
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

// The second column of a TSV by its first; red where the zoo knows better. Class names cannot be compared
// with labels: they are never red.
std::vector<Caption> read_captions(const std::string& file, const Zoo& zoo,
                                   const std::vector<int64_t>& indices) {
  std::unordered_map<std::string, std::string> by_name;
  for (const std::string& line : split(read_text(file), '\n')) {
    const std::vector<std::string> columns = split(line, '\t');
    if (columns.size() >= 2) by_name[short_name(columns[0])] = columns[1];
  }
  std::vector<Caption> captions;
  bool any = false;
  for (const int64_t i : indices) {
    const auto found = by_name.find(short_name(zoo.name(i)));
    captions.emplace_back();
    if (found == by_name.end()) continue;
    any = true;
    captions.back().text = found->second;
    captions.back().alarm =
        zoo.label(i) >= 0 && is_number(found->second) && found->second != text("{}", zoo.label(i));
  }
  if (!any)
    throw Error(ErrorKind::mismatch, text("{}: no line names one of the drawn networks", file),
                "expected lines of name and class, as `dws classify` writes them");
  return captions;
}

std::string picture_name(const Zoo& zoo, int64_t i) {
  const int64_t label = zoo.label(i);
  return label >= 0 ? text("{:06}_{}.png", i, label) : text("{:06}.png", i);
}

void write_all(const Settings& settings, const Zoo& zoo, const Renderer& renderer,
               const std::vector<int64_t>& indices) {
  std::error_code failure;
  std::filesystem::create_directories(settings.out, failure);
  if (failure)
    throw Error(ErrorKind::io, text("{}: cannot make the folder: {}", settings.out, failure.message()));
  parallel_for(static_cast<int64_t>(indices.size()), [&](int64_t k) {
    check_interrupt();
    const int64_t i = indices[static_cast<size_t>(k)];
    std::vector<float> params(static_cast<size_t>(zoo.info().arch.param_count()));
    std::vector<uint8_t> image(static_cast<size_t>(renderer.image_size()));
    zoo.read(i, params);
    renderer.draw(params, image);
    write_png(settings.out + "/" + picture_name(zoo, i), image.data(), renderer.height(), renderer.width(),
              renderer.channels(), settings.force);
  });
}

int render(const Settings& settings) {
  const Zoo zoo = Zoo::open(settings.zoo);
  warn_if_assumed(zoo);
  std::vector<int64_t> indices = parse_range(settings.range, zoo.size());
  const Renderer renderer(zoo.info(), settings.size, settings.size);
  if (settings.grid.empty()) {
    if (!settings.captions.empty())
      throw Error(ErrorKind::usage, "--captions needs --grid: captions stand on a contact sheet");
    write_all(settings, zoo, renderer, indices);
    return 0;
  }
  const SheetOptions options = parse_grid(settings);
  require_writable(settings.out, settings.force);
  if (static_cast<int64_t>(indices.size()) > options.rows * options.columns)
    indices.resize(static_cast<size_t>(options.rows * options.columns));
  std::vector<Caption> captions;
  if (!settings.captions.empty()) captions = read_captions(settings.captions, zoo, indices);
  const Images sheet = contact_sheet(renderer, zoo, indices, captions, options);
  write_png(settings.out, sheet.pixels.data(), sheet.height, sheet.width, sheet.channels, settings.force);
  return 0;
}

}  // namespace

void register_render(Options& app, const Globals&, Run& run) {
  auto settings = std::make_shared<Settings>();
  Options* sub =
      app.add_subcommand("render", "draw implicit neural representations as PNG files or a contact sheet");
  sub->footer(
      "Example:\n  dws render zoo.safetensors --grid 8x12 -o sheet.png\n"
      "  dws render zoo.safetensors --range 0:10 --size 112 -o pictures");
  sub->add_option("ZOO", settings->zoo, "zoo or single network")->required();
  sub->add_option("-o,--output", settings->out, "folder for the pictures, or with --grid the PNG file")
      ->required();
  sub->add_option("--grid", settings->grid, "ROWSxCOLUMNS: one contact sheet of the first networks");
  sub->add_option("--range", settings->range, "A:B: networks A to B - 1 only");
  sub->add_option("--size", settings->size, "height and width to draw at, whatever the size fitted to")
      ->check(range(1, 4096));
  sub->add_option("--scale", settings->scale, "with --grid: pixels a pixel")
      ->check(range(1, 64))
      ->capture_default_str();
  sub->add_option(
      "--captions", settings->captions,
      "with --grid: file of `dws classify`; its classes stand below the pictures, wrong ones in red");
  sub->add_flag("--force", settings->force, "overwrite existing files");
  sub->callback([settings, &run] { run = [settings] { return render(*settings); }; });
}

}  // namespace dws::tools
