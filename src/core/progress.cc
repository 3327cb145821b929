#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace dws {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kInterval = std::chrono::milliseconds(170);  // under 6 lines a second
constexpr int kBar = 20;

std::atomic<ProgressMode> mode{ProgressMode::automatic};
std::atomic<bool> line_shown{false};

// One write: pieces of lines from several threads do not mix. A closed stderr is nobody's error here.
void to_stderr(const std::string& bytes) noexcept {
  if (::write(STDERR_FILENO, bytes.data(), bytes.size()) < 0) return;
}

int terminal_width() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string duration(double seconds) {
  const long long total = std::llround(seconds);
  if (total < 60) return text("{}s", total);
  if (total < 3600) return text("{}m{:02}s", total / 60, total % 60);
  return text("{}h{:02}m", total / 3600, total / 60 % 60);
}

std::string rate_text(double rate) {
  return rate < 10 ? text("{:.2f}/s", rate) : rate < 100 ? text("{:.1f}/s", rate) : text("{:.0f}/s", rate);
}

}  // namespace

ProgressMode parse_progress_mode(std::string_view name) {
  if (name == "auto") return ProgressMode::automatic;
  if (name == "always") return ProgressMode::always;
  if (name == "never") return ProgressMode::never;
  throw Error(ErrorKind::usage,
              text("unknown progress mode '{}': expected auto, always or never", escaped(name)));
}

void set_progress_mode(ProgressMode value) {
  mode = value;
}

std::string progress_line(const std::string& what, const std::string& unit, int64_t done, int64_t total,
                          double rate, const std::string& note, int width) {
  std::string bar, tail;
  if (total > 0) {
    const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
    const size_t filled = static_cast<size_t>(share * kBar);
    bar = text(" [{}{}]", std::string(filled, '#'), std::string(kBar - filled, '.'));
    tail = text(" {:3.0f}% {}/{} {}", std::floor(share * 100), done, total, unit);
  } else {
    tail = text(" {} {}", done, unit);
  }
  if (rate > 0) {
    tail += "  " + rate_text(rate);
    const double left = static_cast<double>(total - done) / rate;
    if (total > done && left < 1e9) tail += "  " + duration(left) + " left";
  }
  if (!note.empty()) tail += "  " + one_line(note);
  // A full last column makes some terminals wrap.
  size_t limit = static_cast<size_t>(std::max(width - 1, 0));
  std::string line = what + bar + tail;
  if (line.size() > limit) line = what + tail;  // the words say more than the bar
  if (line.size() > limit) {
    while (limit > 0 && (static_cast<unsigned char>(line[limit]) & 0xC0) == 0x80)
      --limit;  // whole characters
    line.resize(limit);
  }
  return line;
}

void hide_progress() noexcept {
  if (line_shown.exchange(false)) to_stderr("\r\x1b[K");
}

Progress::Progress(std::string what, std::string unit, int64_t total, int64_t done)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      done_(done),
      start_done_(done),
      enabled_(mode == ProgressMode::always || (mode == ProgressMode::automatic && ::isatty(STDERR_FILENO))),
      start_(Clock::now()) {}

Progress::~Progress() {
  if (enabled_) hide_progress();
}

void Progress::update(int64_t done, const std::string& note) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  done_ = done;
  if (!note.empty()) note_ = note;
  draw();
}

void Progress::add(int64_t delta, const std::string& note) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  done_ += delta;
  if (!note.empty()) note_ = note;
  draw();
}

void Progress::draw() {
  const auto now = Clock::now();
  if (last_ != Clock::time_point{} && now - last_ < kInterval) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - start_done_) / seconds : 0;
  const std::string line = progress_line(what_, unit_, done_, total_, rate, note_, terminal_width());
  line_shown = true;
  to_stderr("\r" + line + "\x1b[K");
}

}  // namespace dws
