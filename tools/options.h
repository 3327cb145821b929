// The command line's options as the verbs see them. options.cc is the one file that includes CLI11, whose headers take
// seconds to compile; names and meanings here are CLI11's.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace dws::tools {

// What an option's value must be; the help shows it, and any other value is refused.
class Check {
 public:
  explicit Check(const CLI::Validator& validator);
  const CLI::Validator& validator() const { return *validator_; }

 private:
  std::shared_ptr<const CLI::Validator> validator_;
};
// From `least` to `most`, both included.
Check range(int least, int most);
Check range(int64_t least, int64_t most);
Check range(double least, double most);
Check positive_number();
Check non_negative_number();
Check one_of(const std::vector<std::string>& words);

// One option of a verb. Each setter returns the option itself, so that they can be chained.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option* required();
  Option* check(const Check& check);
  Option* capture_default_str();               // the help shows the value that the variable has now
  Option* group(const std::string& name);      // the heading that it stands under in the help
  Option* type_name(const std::string& name);  // the word for its value in the help
  Option* description(const std::string& help);
  Option* expected(int least, int most);  // values together
  Option* delimiter(char between);        // a value is a list with these between its items
  Option* allow_extra_args(bool allow);   // false: of a list, one value each time that the option is given
  // After parsing: how many values were given.
  size_t count() const;

 private:
  friend class Options;
  CLI::Option* option_;
};

template <class T, class... Ts>
concept AnyOf = (std::same_as<T, Ts> || ...);
template <class T>
concept OptionValue = AnyOf<T, int, int64_t, uint64_t, float, double, std::string, std::vector<std::string>,
                            std::vector<double>, std::optional<int>, std::optional<int64_t>,
                            std::optional<uint64_t>, std::optional<double>, std::optional<std::string>>;

// The options of a verb, or those that all verbs have.
class Options {
 public:
  explicit Options(CLI::App* app);
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options();

  // "-o,--output" or, for what is given by its place, "FILE". `value` is set when the option is given, and must outlive
  // the parsing. Options belong to this object.
  template <OptionValue T>
  Option* add_option(const std::string& name, T& value, const std::string& help);
  // Without a value; of a string, one may be given after '='.
  Option* add_flag(const std::string& name, bool& value, const std::string& help);
  Option* add_flag(const std::string& name, std::string& value, const std::string& help);
  // One that was added. Throws where there is none of that name, a defect.
  Option* get_option(const std::string& name) const;

  Options* add_subcommand(const std::string& name, const std::string& help);
  void footer(const std::string& text);
  // Called when this verb was chosen and all is parsed.
  void callback(std::function<void()> work);

 private:
  Option* keep(CLI::Option* option);
  CLI::App* app_;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::unique_ptr<Options>> verbs_;
};

// The whole command line, for main.
class CommandLine {
 public:
  // `about` and `footer` stand first and last in the help without a verb.
  CommandLine(const std::string& about, const std::string& footer);
  ~CommandLine();
  Options& options() { return options_; }

  std::vector<std::string> verbs() const;
  // Before parsing and without a verb the program's, else the verb's.
  std::string help() const;

  enum class Asked { work, help, version };
  // `verb`: what was taken for the verb, for messages. Throws Error{usage}: one line, with a suggestion for a mistyped
  // option.
  Asked parse(const std::vector<std::string>& arguments, const std::string& verb);
  // After parsing: whether a verb was among the arguments.
  bool verb_given() const;

 private:
  std::unique_ptr<CLI::App> app_;
  Options options_;
};

}  // namespace dws::tools
