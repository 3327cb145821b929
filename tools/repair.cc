#include "repair.h"

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"

namespace dws::tools {

network::RepairData repair_data(const LabelledData& data) {
  return {.samples = data.size(),
          .fill = [&data](int, int64_t first, int64_t count, float* to) { data.read(first, count, to); }};
}

void say_repair(const network::Repair& repair, const std::string& file, int64_t samples) {
  log_info(text("{}: {} of {} layers on {} samples, {} passes", one_line(file),
                repair.has_norms() ? "running statistics of the norms" : "means and deviations",
                repair.layers(), samples, repair.passes()));
  for (const std::string& layer : repair.skipped())
    log_warn(text("{}: not repaired: {}", one_line(file), layer));
}

}  // namespace dws::tools
