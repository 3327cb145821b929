// Where the time of a tape goes, primitive by primitive. A tape without a profile pays one test of a pointer
// for each record.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace dws {

class Profile {
 public:
  // Seconds and calls of one primitive. Inputs and other constants, which have no primitive, are "constant".
  struct Entry {
    std::string_view name;  // a literal of the primitive
    double forward = 0, backward = 0;
    int64_t forward_calls = 0, backward_calls = 0;
  };

  // The tape calls these. An op computes first and records then, so the time since the last event belongs to
  // what was just recorded (forward) or just differentiated (backward).
  void start() noexcept { last_ = Clock::now(); }
  void forward(std::string_view name);
  void backward(std::string_view name);

  // In the order first met.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  // Adds what another tape's profile holds.
  void add(const Profile& other);
  void clear() noexcept { entries_.clear(); }

 private:
  using Clock = std::chrono::steady_clock;
  double lap() noexcept;
  Entry& entry(std::string_view name);
  std::vector<Entry> entries_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace dws
