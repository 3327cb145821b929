// dws: the verbs, the options all of them have, and the one place where errors end.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "command.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/version.h"
#include "output.h"

namespace dws::tools {
namespace {

constexpr int kFailed = 2, kInterrupted = 130;

struct Common {
  int threads = 0;
  bool quiet = false, verbose = false;
  std::string log_level, log_file, progress = "auto";
};

void add_common(Options& app, Common& common) {
  app.add_option("--threads", common.threads, "worker threads, 0 one a core; results do not depend on it")
      ->check(range(0, 4096))
      ->group("Common options");
  app.add_flag("-q,--quiet", common.quiet, "warnings only")->group("Common options");
  app.add_flag("-v,--verbose", common.verbose, "more detail on stderr")->group("Common options");
  app.add_option("--log-level", common.log_level, "trace, debug, info, warn, error or off")
      ->group("Common options");
  app.add_option("--log-file", common.log_file, "write the log to this file too")->group("Common options");
  app.add_option("--progress", common.progress, "auto, always or never; auto is on a terminal only")
      ->group("Common options");
}

void apply(const Common& common) {
  if (common.verbose) set_log_level(LogLevel::debug);
  if (common.quiet) set_log_level(LogLevel::warn);
  if (!common.log_level.empty()) set_log_level(parse_log_level(common.log_level));
  if (!common.log_file.empty()) set_log_file(common.log_file);
  set_progress_mode(common.quiet && common.progress == "auto" ? ProgressMode::never
                                                              : parse_progress_mode(common.progress));
  set_threads(common.threads);
}

// Options that say how to run and not what to compute: recipes leave them out, so that a resumed run, or one
// on another number of threads, writes the same bytes.
const std::vector<std::string> kRunFlags{"-q", "--quiet", "-v", "--verbose", "--resume", "--force", "--json"};
const std::vector<std::string> kRunOptions{"--threads", "--log-level",        "--log-file",  "--progress",
                                           "--log",     "--checkpoint-every", "--max-memory"};

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string line = "dws";
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (contains(kRunFlags, word)) continue;
    if (contains(kRunOptions, word)) {
      ++i;
      continue;
    }
    if (contains(kRunOptions, word.substr(0, word.find('=')))) continue;
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$`&|;<>()*?[]{}#~!") == std::string::npos;
    line += plain ? " " + word : " '" + word + "'";
  }
  return line;
}

// The first argument that is neither an option nor the value of a common option.
std::string find_verb(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (contains(kRunOptions, arguments[i]))
      ++i;
    else if (!arguments[i].starts_with('-'))
      return arguments[i];
  }
  return "";
}

void register_verbs(Options& app, const Globals& globals, Run& run) {
  register_fit(app, globals, run);
  register_render(app, globals, run);
  register_train(app, globals, run);
  register_classify(app, globals, run);
  register_align(app, globals, run);
  register_merge(app, globals, run);
  register_inspect(app, globals, run);
  register_symmetry(app, globals, run);
  register_verify(app, globals, run);
  register_permute(app, globals, run);
  register_graph(app, globals, run);
  register_eval(app, globals, run);
  register_lmc(app, globals, run);
  register_diff(app, globals, run);
  register_convert(app, globals, run);
  register_augment(app, globals, run);
  register_bench(app, globals, run);
}

int run_main(std::vector<std::string> arguments) {
  Globals globals;
  Common common;
  Run run;
  CommandLine line("Trained networks as data: fit, train, classify and look at networks by their weights.",
                   "Example:\n  dws fit images.idx --labels labels.idx -o zoo.safetensors\n"
                   "  dws train --data zoo.safetensors -o model.safetensors\n"
                   "  dws classify -m model.safetensors zoo.safetensors");
  add_common(line.options(), common);
  register_verbs(line.options(), globals, run);

  const std::vector<std::string> verbs = line.verbs();
  if (arguments.empty()) {
    std::fputs(line.help().c_str(), stderr);
    throw Error(ErrorKind::usage, "a verb is missing", text("verbs: {}", join(verbs, ", ")));
  }
  const std::string verb = find_verb(arguments);
  if (!verb.empty() && !contains(verbs, verb)) {
    const std::string near = nearest(verb, verbs);
    throw Error(ErrorKind::usage, text("unknown verb '{}'", escaped(verb)),
                near.empty() ? text("verbs: {}", join(verbs, ", ")) : text("did you mean '{}'?", near));
  }
  globals.command_line = command_line(arguments);
  const CommandLine::Asked asked = line.parse(arguments, verb);
  if (asked == CommandLine::Asked::version) {
    print(text("dws {}", version()));
    return 0;
  }
  if (asked == CommandLine::Asked::help) {
    std::string help = line.help();
    if (line.verb_given()) help += "Common options (--threads, --quiet, ...): dws --help";
    while (help.ends_with('\n')) help.pop_back();
    print(help);
    return 0;
  }
  if (!run) throw Error(ErrorKind::usage, "a verb is missing", text("verbs: {}", join(verbs, ", ")));
  apply(common);
  return run();
}

// What to do about an error that brings no advice of its own.
const char* default_advice(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "see dws VERB --help";
    case ErrorKind::io:
      return "check the name, the permissions and the room on the disk";
    case ErrorKind::not_regular_file:
      return "give the name of a file";
    case ErrorKind::path_escape:
      return "a file may only name files in its own folder; --external-data-root and --follow-symlinks say "
             "where else";
    case ErrorKind::exists:
      return "choose another name, or use --force to overwrite it";
    case ErrorKind::truncated:
      return "the file is incomplete: fetch or make it again";
    case ErrorKind::trailing_data:
    case ErrorKind::bad_utf8:
    case ErrorKind::bad_json:
    case ErrorKind::bad_protobuf:
    case ErrorKind::shape_overflow:
    case ErrorKind::size_mismatch:
    case ErrorKind::offset_overlap:
    case ErrorKind::offset_gap:
    case ErrorKind::offset_range:
      return "the file is damaged: fetch or make it again";
    case ErrorKind::too_large:
    case ErrorKind::resource_limit:
      return "use a smaller input, or cut it into pieces";
    case ErrorKind::bad_yaml:
      return "correct that line";
    case ErrorKind::bad_schema:
    case ErrorKind::unknown_dtype:
    case ErrorKind::missing_tensor:
      return "check that this is the right kind of file; src/README.md describes the formats";
    case ErrorKind::duplicate_name:
      return "give each name once";
    case ErrorKind::bad_value:
      return "correct or leave out what is named above; dws inspect FILE shows where a zoo has such values";
    case ErrorKind::checksum:
      return "fetch the file again, or the model that belongs to it";
    case ErrorKind::unsupported:
      return "dws symmetry needs no run: what such an operator touches it keeps in place";
    case ErrorKind::mismatch:
      return "use files that belong together; dws inspect FILE says what each one is";
    case ErrorKind::empty:
      return "give an input that holds at least one network or image";
    case ErrorKind::interrupted:
      return "run the command again";
    case ErrorKind::internal:
      return "this is a defect of the program; please report the command";
  }
  return "";
}

int complain(const std::string& message, const std::string& advice) {
  std::string out = "dws: " + message + "\n";
  if (!advice.empty()) out += advice + "\n";
  std::fputs(out.c_str(), stderr);
  return kFailed;
}

}  // namespace
}  // namespace dws::tools

int main(int argc, char** argv) {
  using namespace dws::tools;
  dws::install_interrupt_handler();
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is a failed write, to be said in words
  try {
    return run_main(std::vector<std::string>(argv + (argc > 0), argv + argc));
  } catch (const ClosedPipe&) {
    return 0;
  } catch (const dws::Error& error) {
    const int code =
        complain(error.what(), error.advice().empty() ? default_advice(error.kind()) : error.advice());
    return error.kind() == dws::ErrorKind::interrupted ? kInterrupted : code;
  } catch (const std::bad_alloc&) {
    return complain("out of memory", "use smaller inputs, a smaller --batch or a machine with more memory");
  } catch (const std::exception& error) {
    return complain(dws::escaped(error.what(), 400),
                    "this is a defect of the program; please report the command");
  }
}
