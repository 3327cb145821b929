#include "core/disk_space.h"

#include <sys/statvfs.h>

#include "core/error.h"
#include "core/text.h"

namespace dws {

std::optional<uint64_t> available_space(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return std::nullopt;
  return uint64_t{status.f_bavail} * status.f_frsize;
}

void require_space(const std::string& folder, uint64_t bytes, const std::string& what,
                   const std::string& advice) {
  const std::optional<uint64_t> left = available_space(folder);
  if (!left || bytes <= *left) return;
  throw Error(ErrorKind::resource_limit,
              text("{}: {} take {:.1f} GB, and {:.1f} GB are left there", one_line(folder), what,
                   static_cast<double>(bytes) * 1e-9, static_cast<double>(*left) * 1e-9),
              advice);
}

}  // namespace dws
