#include "format/failure.h"

#include "core/text.h"

namespace dws::format {

Error make_error(ErrorKind kind, const Failure& failure) {
  std::string message = text("{}: {}", one_line(failure.file), failure.what);
  if (failure.byte) message += text(" at byte {}", *failure.byte);
  if (failure.tensor) message += text(" (tensor '{}')", escaped(*failure.tensor));
  if (!failure.expected.empty()) message += text(": expected {}", failure.expected);
  if (!failure.got.empty()) message += text("{}got {}", failure.expected.empty() ? ": " : ", ", failure.got);
  return Error(kind, message, failure.advice);
}

void fail(ErrorKind kind, const Failure& failure) {
  throw make_error(kind, failure);
}

}  // namespace dws::format
