#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace dws::tools {
namespace {

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// CLI11's complaint as ours: one line, and a suggestion for a mistyped option.
Error usage_error(const CLI::ParseError& error, const CLI::App& app, const std::string& verb) {
  const std::string help = text("see dws {} --help", verb);
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    std::vector<std::string> known = option_names(app);
    for (const CLI::App* sub : app.get_subcommands()) {
      const std::vector<std::string> more = option_names(*sub);
      known.insert(known.end(), more.begin(), more.end());
    }
    for (const std::string& word : app.remaining(true)) {
      if (!word.starts_with('-')) continue;
      const std::string name = word.substr(0, word.find('=')), near = nearest(name, known);
      return Error(ErrorKind::usage, text("{}: unknown option '{}'", verb, escaped(name)),
                   near.empty() ? help : text("did you mean '{}'?", near));
    }
    const std::vector<std::string> rest = app.remaining(true);
    return Error(ErrorKind::usage,
                 text("{}: unexpected argument '{}'", verb, rest.empty() ? "" : escaped(rest[0])), help);
  }
  std::string line = error.what();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return Error(ErrorKind::usage, text("{}: {}", verb, line), help);
}

std::vector<CLI::App*> all_verbs(CLI::App& app) {
  return app.get_subcommands([](CLI::App*) { return true; });
}

}  // namespace

Check::Check(const CLI::Validator& validator)
    : validator_(std::make_shared<const CLI::Validator>(validator)) {}
Check range(int least, int most) {
  return Check(CLI::Range(least, most));
}
Check range(int64_t least, int64_t most) {
  return Check(CLI::Range(least, most));
}
Check range(double least, double most) {
  return Check(CLI::Range(least, most));
}
Check positive_number() {
  return Check(CLI::PositiveNumber);
}
Check non_negative_number() {
  return Check(CLI::NonNegativeNumber);
}
Check one_of(const std::vector<std::string>& words) {
  return Check(CLI::IsMember(words));
}

Option* Option::required() {
  option_->required();
  return this;
}
Option* Option::check(const Check& check) {
  option_->check(check.validator());
  return this;
}
Option* Option::capture_default_str() {
  option_->capture_default_str();
  return this;
}
Option* Option::group(const std::string& name) {
  option_->group(name);
  return this;
}
Option* Option::type_name(const std::string& name) {
  option_->type_name(name);
  return this;
}
Option* Option::description(const std::string& help) {
  option_->description(help);
  return this;
}
Option* Option::expected(int least, int most) {
  option_->expected(least, most);
  return this;
}
Option* Option::delimiter(char between) {
  option_->delimiter(between);
  return this;
}
Option* Option::allow_extra_args(bool allow) {
  option_->allow_extra_args(allow);
  return this;
}
size_t Option::count() const {
  return option_->count();
}

Options::Options(CLI::App* app) : app_(app) {}
Options::~Options() = default;

Option* Options::keep(CLI::Option* option) {
  return options_.emplace_back(std::make_unique<Option>(option)).get();
}

template <OptionValue T>
Option* Options::add_option(const std::string& name, T& value, const std::string& help) {
  return keep(app_->add_option(name, value, help));
}
#define DWS_OPTION(...) \
  template Option* Options::add_option(const std::string&, __VA_ARGS__&, const std::string&)
DWS_OPTION(int);
DWS_OPTION(int64_t);
DWS_OPTION(uint64_t);
DWS_OPTION(float);
DWS_OPTION(double);
DWS_OPTION(std::string);
DWS_OPTION(std::vector<std::string>);
DWS_OPTION(std::vector<double>);
DWS_OPTION(std::optional<int>);
DWS_OPTION(std::optional<int64_t>);
DWS_OPTION(std::optional<uint64_t>);
DWS_OPTION(std::optional<double>);
DWS_OPTION(std::optional<std::string>);
#undef DWS_OPTION

Option* Options::add_flag(const std::string& name, bool& value, const std::string& help) {
  return keep(app_->add_flag(name, value, help));
}
Option* Options::add_flag(const std::string& name, std::string& value, const std::string& help) {
  return keep(app_->add_flag(name, value, help));
}

Option* Options::get_option(const std::string& name) const {
  const CLI::Option* found = app_->get_option(name);
  for (const auto& option : options_)
    if (option->option_ == found) return option.get();
  throw Error(ErrorKind::internal, text("option {} is CLI11's own", name));
}

Options* Options::add_subcommand(const std::string& name, const std::string& help) {
  return verbs_.emplace_back(std::make_unique<Options>(app_->add_subcommand(name, help))).get();
}
void Options::footer(const std::string& text) {
  app_->footer(text);
}
void Options::callback(std::function<void()> work) {
  app_->callback(std::move(work));
}

CommandLine::CommandLine(const std::string& about, const std::string& footer)
    : app_(std::make_unique<CLI::App>(about, "dws")), options_(app_.get()) {
  app_->set_version_flag("--version", std::string(), "show the version");
  app_->set_help_flag("-h,--help", "show this help; dws VERB --help shows a verb's");
  app_->footer(footer);
  app_->fallthrough();
  app_->require_subcommand(0, 1);
}
CommandLine::~CommandLine() = default;

std::vector<std::string> CommandLine::verbs() const {
  std::vector<std::string> names;
  for (const CLI::App* verb : all_verbs(*app_)) names.push_back(verb->get_name());
  return names;
}

std::string CommandLine::help() const {
  app_->get_formatter()->column_width(32);
  app_->get_formatter()->label("SUBCOMMAND", "VERB");
  for (CLI::App* verb : all_verbs(*app_)) verb->group("Verbs");
  return app_->help();
}

CommandLine::Asked CommandLine::parse(const std::vector<std::string>& arguments, const std::string& verb) {
  try {
    app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return Asked::help;
  } catch (const CLI::CallForVersion&) {
    return Asked::version;
  } catch (const CLI::ParseError& error) {
    throw usage_error(error, *app_, verb);
  }
  return Asked::work;
}

bool CommandLine::verb_given() const {
  return !app_->get_subcommands().empty();
}

}  // namespace dws::tools
