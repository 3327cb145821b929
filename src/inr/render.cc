#include "inr/render.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "inr/font.h"

namespace dws {
namespace {

int64_t side(int64_t wanted, int64_t known) {
  if (wanted > 0) return wanted;
  if (known > 0) return known;
  throw Error(ErrorKind::usage, "the zoo does not say how large its images are", "give --size");
}

struct Colour {
  uint8_t red, green, blue;
};
constexpr Colour kInk{40, 40, 40}, kRed{200, 20, 30};

// The sheet while it is drawn. Writes outside are ignored.
struct Canvas {
  Images sheet;
  void set(int64_t y, int64_t x, Colour colour) {
    if (y < 0 || x < 0 || y >= sheet.height || x >= sheet.width) return;
    uint8_t* pixel = sheet.pixels.data() + (y * sheet.width + x) * sheet.channels;
    const uint8_t values[3] = {colour.red, colour.green, colour.blue};
    std::copy_n(values, sheet.channels, pixel);
  }
};

// Text centred in a cell `width` wide, as many letters as fit; every dot of the font is `dot` pixels wide and
// high.
void draw_text(Canvas& canvas, int64_t top, int64_t left, int64_t width, int64_t dot,
               const Caption& caption) {
  const int64_t advance = (kGlyphWidth + 1) * dot;
  const auto fitting = std::max<int64_t>(1, (width + dot) / advance);
  const std::string line = caption.text.substr(0, static_cast<size_t>(fitting));
  int64_t x = left + (width - (static_cast<int64_t>(line.size()) * advance - dot)) / 2;
  for (const char c : line) {
    const Glyph& glyph = glyph_of(c);
    for (int64_t dy = 0; dy < kGlyphHeight * dot; ++dy)
      for (int64_t dx = 0; dx < kGlyphWidth * dot; ++dx)
        if (glyph[static_cast<size_t>(dy / dot)] >> (kGlyphWidth - 1 - dx / dot) & 1)
          canvas.set(top + dy, x + dx, caption.alarm ? kRed : kInk);
    x += advance;
  }
}

void draw_image(Canvas& canvas, int64_t top, int64_t left, int64_t scale, const Renderer& renderer,
                const std::vector<uint8_t>& image) {
  const int64_t colours = renderer.channels();
  for (int64_t y = 0; y < renderer.height() * scale; ++y)
    for (int64_t x = 0; x < renderer.width() * scale; ++x) {
      const uint8_t* pixel = image.data() + (y / scale * renderer.width() + x / scale) * colours;
      canvas.set(top + y, left + x, {pixel[0], pixel[colours > 1 ? 1 : 0], pixel[colours > 2 ? 2 : 0]});
    }
}

}  // namespace

Renderer::Renderer(const ZooInfo& info, int64_t height, int64_t width)
    : field_(info),
      height_(side(height, info.image_height)),
      width_(side(width, info.image_width)),
      inputs_(field_.grid(height_, width_)) {}

void Renderer::draw(std::span<const float> params, std::span<float> image) const {
  field_.evaluate(params, inputs_.span(), height_ * width_, image);
}

void Renderer::draw(std::span<const float> params, std::span<uint8_t> image) const {
  std::vector<float> values(image.size());
  draw(params, values);
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = static_cast<uint8_t>(std::lround(255 * std::clamp(values[i], 0.0f, 1.0f)));
}

Images contact_sheet(const Renderer& renderer, const Zoo& zoo, std::span<const int64_t> indices,
                     std::span<const Caption> captions, const SheetOptions& options) {
  if (indices.empty()) throw Error(ErrorKind::empty, "no networks for the contact sheet");
  if (options.rows < 1 || options.columns < 1 || options.scale < 1)
    throw Error(ErrorKind::usage, "a contact sheet needs rows, columns and a scale above 0");
  const auto count = std::min<int64_t>(static_cast<int64_t>(indices.size()), options.rows * options.columns);
  const int64_t columns = std::min(options.columns, count), rows = (count + columns - 1) / columns;
  const bool red = std::any_of(captions.begin(), captions.end(), [](const Caption& c) { return c.alarm; });
  const bool written =
      std::any_of(captions.begin(), captions.end(), [](const Caption& c) { return !c.text.empty(); });
  // Between cells there is a gap; a caption stands close to its own picture.
  const int64_t dot = std::max<int64_t>(1, options.scale / 2), gap = 3 * dot;
  const int64_t line = written ? kGlyphHeight * dot + 2 * dot : 0;
  const int64_t cell_height = renderer.height() * options.scale + line,
                cell_width = renderer.width() * options.scale;

  Canvas canvas;
  canvas.sheet.count = 1;
  canvas.sheet.height = rows * (cell_height + gap) + gap;
  canvas.sheet.width = columns * (cell_width + gap) + gap;
  canvas.sheet.channels = red || renderer.channels() > 1 ? 3 : 1;
  if (canvas.sheet.height > (int64_t{1} << 28) / canvas.sheet.width / 3)
    throw Error(ErrorKind::resource_limit, "the contact sheet is too large",
                "fewer cells or a smaller --scale");
  canvas.sheet.pixels.assign(static_cast<size_t>(canvas.sheet.image_size()), 255);
  parallel_for(count, [&](int64_t i) {
    std::vector<float> params(static_cast<size_t>(zoo.info().arch.param_count()));
    std::vector<uint8_t> image(static_cast<size_t>(renderer.image_size()));
    zoo.read(indices[static_cast<size_t>(i)], params);
    renderer.draw(params, image);
    const int64_t top = gap + i / columns * (cell_height + gap),
                  left = gap + i % columns * (cell_width + gap);
    draw_image(canvas, top, left, options.scale, renderer, image);
    if (static_cast<size_t>(i) < captions.size())
      draw_text(canvas, top + renderer.height() * options.scale + 2 * dot, left, cell_width, dot,
                captions[static_cast<size_t>(i)]);
  });
  return std::move(canvas.sheet);
}

}  // namespace dws
