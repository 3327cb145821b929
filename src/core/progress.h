// A progress line on stderr: at most 6 times a second, with rate and time left; silent unless stderr is a terminal
// or --progress always.
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

// Thread safe. The line disappears when the object is destroyed.
class Progress {
 public:
  // `what`: "fit"; `unit`: "networks"; `total` 0 when unknown; `done` where a resumed run starts.
  Progress(std::string what, std::string unit, int64_t total, int64_t done = 0);
  Progress(const Progress&) = delete;
  ~Progress();
  // `note` is free text shown at the end, e.g. "loss 0.31 accuracy 0.92".
  void update(int64_t done, const std::string& note = {});
  void add(int64_t delta, const std::string& note = {});

 private:
  void draw(bool last);
  std::mutex mutex_;
  std::string what_, unit_, note_;
  int64_t total_, done_, start_done_;
  bool enabled_;
  std::chrono::steady_clock::time_point start_, last_{};
};

}  // namespace dws
