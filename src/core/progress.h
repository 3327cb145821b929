// A progress line on stderr: at most 6 times a second, with rate and time left; silent unless stderr is a
// terminal or --progress always.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace dws {

enum class ProgressMode { automatic, always, never };
ProgressMode parse_progress_mode(std::string_view name);  // auto, always, never; throws Error{usage}
void set_progress_mode(ProgressMode mode);

// The text of one line, at most `width` columns: bar and share (total > 0), count, rate a second, time left
// and note.
std::string progress_line(const std::string& what, const std::string& unit, int64_t done, int64_t total,
                          double rate, const std::string& note, int width);

// Wipes the line when one is shown, so that a message can take its place; the next update draws it again.
void hide_progress() noexcept;

// Thread safe. The line disappears when the object is destroyed.
class Progress {
 public:
  // `what`: "fit"; `unit`: "networks"; `total` 0 when unknown; `done` where a resumed run starts.
  Progress(std::string what, std::string unit, int64_t total, int64_t done = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  // `note` is free text shown at the end, e.g. "loss 0.31 accuracy 0.92".
  void update(int64_t done, const std::string& note = {});
  void add(int64_t delta, const std::string& note = {});

 private:
  void draw();
  std::mutex mutex_;
  std::string what_, unit_, note_;
  int64_t total_, done_, start_done_;
  bool enabled_;
  std::chrono::steady_clock::time_point start_, last_{};
};

}  // namespace dws
