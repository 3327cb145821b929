#include "autograd/profile.h"

#include <algorithm>
#include <utility>

namespace dws {

double Profile::lap() noexcept {
  const Clock::time_point now = Clock::now();
  return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
}

Profile::Entry& Profile::entry(std::string_view name) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  if (found != entries_.end()) return *found;
  return entries_.emplace_back(Entry{.name = name});
}

void Profile::forward(std::string_view name) {
  Entry& e = entry(name);
  e.forward += lap();
  ++e.forward_calls;
}

void Profile::backward(std::string_view name) {
  Entry& e = entry(name);
  e.backward += lap();
  ++e.backward_calls;
}

void Profile::add(const Profile& other) {
  for (const Entry& from : other.entries_) {
    Entry& e = entry(from.name);
    e.forward += from.forward;
    e.backward += from.backward;
    e.forward_calls += from.forward_calls;
    e.backward_calls += from.backward_calls;
  }
}

}  // namespace dws
