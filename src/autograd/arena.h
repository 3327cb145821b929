// Bump allocation for one tape: taken for a step, all given back at once, kept for the next step.
#pragma once

#include <cstddef>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "core/buffer.h"

namespace dws {

class Arena {
 public:
  // `count` elements of T at a 64-byte boundary, not initialised, valid until reset().
  template <class T>
  T* take(size_t count) {
    return static_cast<T*>(take_bytes(count * sizeof(T)));
  }
  // Gives back memory of take() before reset(), for the next request of the same size class.
  void give_back(void* memory, size_t bytes);
  // Constructs an object whose destructor runs at reset().
  template <class T, class... Args>
  T* make(Args&&... args) {
    T* object = new (take_bytes(sizeof(T))) T(std::forward<Args>(args)...);
    if constexpr (!std::is_trivially_destructible_v<T>)
      destructors_.push_back({object, [](void* p) { static_cast<T*>(p)->~T(); }});
    return object;
  }
  void reset() noexcept;
  // Bytes held from the system; the peak a step has needed.
  size_t capacity() const noexcept;
  ~Arena() { reset(); }
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

 private:
  void* take_bytes(size_t bytes);
  struct Destructor {
    void* object;
    void (*run)(void*);
  };
  std::vector<Buffer<std::byte>> chunks_;
  size_t chunk_ = 0, used_ = 0;
  std::map<size_t, std::vector<void*>> free_;
  std::vector<Destructor> destructors_;
};

}  // namespace dws
