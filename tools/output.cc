// stdout, and the recipe every result carries.
#include <errno.h>
#include <unistd.h>

#include "command.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/progress.h"
#include "core/version.h"
#include "output.h"

namespace dws::tools {

void print(std::string_view line) {
  hide_progress();
  std::string bytes(line);
  bytes += '\n';
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      throw ClosedPipe{};
    } else if (errno != EINTR) {
      throw_errno("stdout", "cannot write");
    }
  }
}

Json recipe(const Globals& globals, const std::vector<std::string>& inputs) {
  Json hashes = Json::object();
  for (const std::string& path : inputs) hashes.set(path, hash_input(path));
  Json json = Json::object();
  json.set("command", globals.command_line);
  json.set("version", version());
  json.set("inputs", hashes);
  return json;
}

}  // namespace dws::tools
