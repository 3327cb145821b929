// What `dws train` can be told, from a configuration file and from the command line.
#pragma once

#include <CLI/CLI.hpp>

#include <map>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace dws::tools {

// A configuration file is a JSON object {"model": "dws", "options": {"hidden": 32, ...}, "train": {"epochs":
// 30, ...}}; all may be left out. What the command line says goes before what the file says.
class TrainSettings {
 public:
  void add_options(CLI::App& app);
  // After parsing. Throws Error{usage}.
  void resolve();

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

}  // namespace dws::tools
