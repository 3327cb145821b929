// What `dws train` can be told, from a configuration file and from the command line.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "options.h"
#include "train/trainer.h"

namespace dws::tools {

// A configuration file is a JSON object {"model": "dws", "options": {"hidden": 32, ...}, "train": {"epochs":
// 30, ...}}; all may be left out. What the command line says goes before what the file says.
class TrainSettings {
 public:
  void add_options(Options& app);
  // After parsing. Throws Error{usage}.
  void resolve();
  // What was given for an option of the command line, which then counts as not given; "" for nothing.
  std::string take(const std::string& key);
  // Throws Error{usage} when an option that describes a model of networks, or a file of options, was given.
  void require_no_model(const char* task) const;

  std::string model = "dws";
  Json options = Json::object();  // of the model; the registry checks them
  train::TrainOptions training;
  std::string config_file;

 private:
  void read_file();
  std::map<std::string, std::string> words_, shortcuts_;  // as written on the command line
  std::map<std::string, bool> flags_;
  std::vector<std::string> assignments_;
  std::string model_flag_;
};

// Whether there is a checkpoint of `out` to go on from. Throws Error{exists} where something is in the way that neither
// `resume` nor `force` allows for.
bool check_train_outputs(const std::string& out, bool resume, bool force);

// The start of what a checkpoint must agree on: the program and instruction set that make the bits, and the hashes of the data
// by a recipe's `inputs`.
Json training_identity(const Json& recipe);

}  // namespace dws::tools
