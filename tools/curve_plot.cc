#include "curve_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/text.h"
#include "weights/graph/text.h"

namespace dws::tools {
namespace {

using network::CurvePoint;

// Distinct also without colour sight (Okabe & Ito).
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};
constexpr double kPanelWidth = 300, kPanelHeight = 220, kLeft = 62, kGap = 78, kTop = 26, kBottom = 52;

// Steps of 1, 2 or 5 times a power of ten: about five of them.
double step_of(double range) {
  const double rough = range / 5, power = std::pow(10, std::floor(std::log10(rough)));
  const double lead = rough / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

class Panel {
 public:
  Panel(std::string title, double left, double low, double high) : title_(std::move(title)), left_(left) {
    if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
    const double room = high > low ? high - low : std::max(1e-3, std::abs(high) * 0.1);
    step_ = step_of(room);
    low_ = std::floor((low - 0.02 * room) / step_) * step_;
    if (low >= 0) low_ = std::max(low_, 0.0);
    high_ = std::ceil((high + 0.02 * room) / step_) * step_;
  }
  double x(double lambda) const { return left_ + lambda * kPanelWidth; }
  double y(double value) const { return kTop + kPanelHeight * (1 - (value - low_) / (high_ - low_)); }

  std::string frame(const std::string& first, const std::string& last) const {
    std::string out;
    const double bottom = kTop + kPanelHeight;
    const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step_) - 1e-9)), 0, 6);
    for (int i = 0;; ++i) {
      const double value = low_ + i * step_;
      if (value > high_ + 0.5 * step_) break;
      out += text(R"(<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", left_, y(value),
                  left_ + kPanelWidth, y(value));
      out += text(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{:.{}f}</text>)", left_ - 7,
                  y(value) + 3.5, value, digits);
      out += "\n";
    }
    for (const double lambda : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      out += text(R"(<line class="axis" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", x(lambda),
                  bottom, x(lambda), bottom + 4);
      const std::string label = lambda == 0 ? "0" : lambda == 1 ? "1" : text("{:g}", lambda);
      out += text(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", x(lambda),
                  bottom + 16, label);
      out += "\n";
    }
    out += text(R"(<path class="axis" d="M{:.1f} {:.1f}V{:.1f}H{:.1f}"/>)", left_, kTop, bottom,
                left_ + kPanelWidth);
    out += text(R"(<text class="tick" x="{:.1f}" y="{:.1f}">{}</text>)", left_, bottom + 32,
                weights::xml_text(first));
    out += text(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                left_ + kPanelWidth, bottom + 32, weights::xml_text(last));
    out += text(
        R"(<text class="label" x="{:.1f}" y="{:.1f}" text-anchor="middle">interpolation <tspan font-style="italic">λ</tspan></text>)",
        left_ + kPanelWidth / 2, bottom + 32);
    out += text(
        R"svg(<text class="label" transform="translate({:.1f} {:.1f}) rotate(-90)" text-anchor="middle">{}</text>)svg",
        left_ - 46, kTop + kPanelHeight / 2, title_);
    return out + "\n";
  }
  std::string line(const std::vector<CurvePoint>& points, double CurvePoint::*value,
                   const char* colour) const {
    std::string path, dots;
    bool open = false;
    for (const CurvePoint& p : points) {
      if (!std::isfinite(p.*value)) {  // a gap
        open = false;
        continue;
      }
      path += text("{}{:.2f} {:.2f}", open ? "L" : "M", x(p.lambda), y(p.*value));
      open = true;
      dots +=
          text(R"(<circle cx="{:.2f}" cy="{:.2f}" r="2.1" fill="{}"/>)", x(p.lambda), y(p.*value), colour);
    }
    return text(R"(<path class="curve" stroke="{}" d="{}"/>)", colour, path) + dots + "\n";
  }

 private:
  std::string title_;
  double left_, low_ = 0, high_ = 1, step_ = 1;
};

std::pair<double, double> range_of(const std::vector<NamedCurve>& curves, double CurvePoint::*value) {
  double low = INFINITY, high = -INFINITY;
  for (const NamedCurve& curve : curves)
    for (const CurvePoint& p : curve.points)
      if (std::isfinite(p.*value)) {
        low = std::min(low, p.*value);
        high = std::max(high, p.*value);
      }
  return {low, high};
}

std::string chord_and_barrier(const Panel& panel, const NamedCurve& curve, const char* colour) {
  const double first = curve.points.front().loss, last = curve.points.back().loss, at = curve.barrier.at;
  if (!std::isfinite(first) || !std::isfinite(last)) return "";
  std::string out =
      text(R"(<line class="chord" stroke="{}" x1="{:.2f}" y1="{:.2f}" x2="{:.2f}" y2="{:.2f}"/>)", colour,
           panel.x(0), panel.y(first), panel.x(1), panel.y(last));
  if (!(curve.barrier.highest > 0)) return out + "\n";
  const double chord = (1 - at) * first + at * last;
  const double x = panel.x(at), low = panel.y(chord), high = panel.y(chord + curve.barrier.highest);
  if (low - high < 6) return out + "\n";  // nothing to see
  out += text(R"(<path class="mark" stroke="{}" d="M{:.2f} {:.2f}V{:.2f}M{:.2f} {:.2f}h6M{:.2f} {:.2f}h6"/>)",
              colour, x, low, high, x - 3, low, x - 3, high);
  out += text(R"(<text class="tick" x="{:.1f}" y="{:.1f}" fill="{}">{:.3g}</text>)", x + 5,
              (low + high) / 2 + 3.5, colour, curve.barrier.highest);
  return out + "\n";
}

}  // namespace

std::string curve_svg(const std::vector<NamedCurve>& curves, const std::string& first,
                      const std::string& last) {
  const auto [low_loss, high_loss] = range_of(curves, &CurvePoint::loss);
  const auto [low_accuracy, high_accuracy] = range_of(curves, &CurvePoint::accuracy);
  const Panel loss("loss", kLeft, low_loss, high_loss);
  const Panel accuracy("accuracy", kLeft + kPanelWidth + kGap, low_accuracy, high_accuracy);
  constexpr double kRow = 18;
  const double width = kLeft + 2 * kPanelWidth + kGap + 20;
  const double legend = kTop + kPanelHeight + kBottom,
               height = legend + kRow * static_cast<double>(curves.size()) + 8;
  std::string out = text(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" font-family="Helvetica, Arial, sans-serif">
<style>.grid{{stroke:#e3e6e8;stroke-width:.8}}.axis{{stroke:#343a40;stroke-width:1;fill:none}}.tick{{font-size:10.5px;fill:#495057}}.label{{font-size:12px;fill:#212529}}.curve{{fill:none;stroke-width:1.8;stroke-linejoin:round}}.chord{{stroke-width:1;stroke-dasharray:4 3;opacity:.75}}.mark{{fill:none;stroke-width:1}}</style>
<rect width="100%" height="100%" fill="#fff"/>
)",
      width, height);
  out += loss.frame(first, last) + accuracy.frame(first, last);
  for (size_t i = 0; i < curves.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    out += chord_and_barrier(loss, curves[i], colour);
    out += loss.line(curves[i].points, &CurvePoint::loss, colour);
    out += accuracy.line(curves[i].points, &CurvePoint::accuracy, colour);
    const double y = legend + kRow * static_cast<double>(i) + 8;
    out += text(R"(<line stroke="{}" stroke-width="1.8" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                colour, kLeft, y, kLeft + 22, y);
    out += text(R"(<text class="label" x="{:.1f}" y="{:.1f}">{}: barrier {:.3g}, area {:.3g}</text>)",
                kLeft + 30, y + 4, weights::xml_text(curves[i].name),
                std::max(0.0, curves[i].barrier.highest), curves[i].barrier.clamped_area);
    out += "\n";
  }
  return out + "</svg>\n";
}

}  // namespace dws::tools
