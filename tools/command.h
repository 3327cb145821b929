// How a verb plugs into `dws`: one file a verb, each with one register function listed in main.cc.
#pragma once

#include <functional>
#include <string>

#include "core/json.h"
#include "options.h"

namespace dws::tools {

// Options every verb has; filled before a verb runs.
struct Globals {
  std::string command_line;  // "dws fit images -o zoo.safetensors", for recipes
};

// A verb adds its subcommand and options to `app` and, when chosen, leaves its work in `run` (exit code 0 or
// 1; errors are thrown as dws::Error and caught once in main).
using Run = std::function<int()>;
void register_align(Options& app, const Globals& globals, Run& run);
void register_augment(Options& app, const Globals& globals, Run& run);
void register_bench(Options& app, const Globals& globals, Run& run);
void register_classify(Options& app, const Globals& globals, Run& run);
void register_convert(Options& app, const Globals& globals, Run& run);
void register_diff(Options& app, const Globals& globals, Run& run);
void register_eval(Options& app, const Globals& globals, Run& run);
void register_fit(Options& app, const Globals& globals, Run& run);
void register_graph(Options& app, const Globals& globals, Run& run);
void register_inspect(Options& app, const Globals& globals, Run& run);
void register_lmc(Options& app, const Globals& globals, Run& run);
void register_merge(Options& app, const Globals& globals, Run& run);
void register_permute(Options& app, const Globals& globals, Run& run);
void register_render(Options& app, const Globals& globals, Run& run);
void register_symmetry(Options& app, const Globals& globals, Run& run);
void register_train(Options& app, const Globals& globals, Run& run);
void register_verify(Options& app, const Globals& globals, Run& run);

// {"command", "version", "inputs": {path: hash}}: the start of every recipe.
Json recipe(const Globals& globals, const std::vector<std::string>& inputs);

// Adds --precision, whose value goes to `name`; use_precision() makes it so for the rest of the program, and warns where
// bf16 is slow.
void add_precision(Options& verb, std::string& name);
void use_precision(const std::string& name);

// One line to stdout, flushed; a closed pipe ends the program with code 0.
void print(std::string_view line);

}  // namespace dws::tools
