// Every method against float64 results of scripts/make_merge_golden.py.
#include <cmath>
#include <set>

#include "core/json.h"
#include "core/text.h"
#include "networks.h"

namespace dws::merge {
namespace {

double number_or(const Json& c, const char* key, double fallback) {
  const Json* value = c.find(key);
  return value ? value->as_double() : fallback;
}

std::vector<double> list(const Json& c, const char* key) {
  std::vector<double> numbers;
  if (const Json* value = c.find(key))
    for (const Json& x : value->as_array()) numbers.push_back(x.as_double());
  return numbers;
}

Choices choices_of(const Json& c) {
  Choices choices;
  choices.method = parse_method(c.at("method").as_string());
  Parameters& p = choices.parameters = default_parameters(choices.method, false);
  for (int k = 0; k < c.at("count").as_int(); ++k) choices.models.push_back(k);
  if (c.at("base").as_bool()) choices.base = static_cast<int>(choices.models.size());
  choices.weight = list(c, "weight");
  choices.density = list(c, "density");
  if (!choices.density.empty()) choices.density.resize(choices.models.size());
  choices.gamma = {number_or(c, "gamma", 0.01)};
  choices.epsilon = {number_or(c, "epsilon", 0.15)};
  choices.scale = number_or(c, "scale", 1);
  if (const Json* n = c.find("normalize")) p.normalize = n->as_bool();
  p.lambda = number_or(c, "lambda", 1);
  p.t = number_or(c, "t", p.t);
  p.select_topk = number_or(c, "select_topk", 1);
  p.ram_epsilon = number_or(c, "ram_epsilon", p.ram_epsilon);
  if (const Json* over = c.find("over"))
    p.over = over->as_string() == "rows"      ? Over::rows
             : over->as_string() == "columns" ? Over::columns
                                              : Over::tensor;
  if (const Json* rescale = c.find("rescale"))
    p.rescale = rescale->as_string() == "l1" ? Rescale::l1 : Rescale::paper;
  choices.seed = static_cast<uint64_t>(number_or(c, "seed", 0));
  return choices;
}

TEST(MergeGolden, EveryMethodGivesWhatItsFormulaGives) {
  const Safetensors golden = Safetensors::open(testing::data_path("../golden/merge.safetensors"));
  const Json cases = Json::parse(*golden.meta("cases"), "cases");
  const testing::TempDir folder;
  const auto input = [&](const std::string& name) {
    const TensorEntry& entry = golden.at(name);
    std::vector<float> values(static_cast<size_t>(entry.elements()));
    golden.read(entry, values);
    return write_input(folder / (name + ".safetensors"), {{"layer.weight", entry.shape, values}});
  };
  std::set<Method> seen;
  for (const Json& c : cases.as_array()) {
    const Choices choices = choices_of(c);
    seen.insert(choices.method);
    std::vector<Input> inputs;
    for (const int k : choices.models) inputs.push_back(input(text("{}.{}", c.at("set").as_string(), k)));
    if (choices.base) inputs.push_back(input("base"));
    std::vector<std::string> warnings;
    const Plan plan = compose(inputs, choices, warnings);
    MemoryWriter writer(plan);
    execute(plan, inputs, {}, writer);
    const std::vector<float> got = writer.floats(0);
    std::vector<double> want(got.size());
    golden.read(golden.at(c.at("expected").as_string()), want);
    double error = 0, size = 0, largest = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      error += std::pow(static_cast<double>(got[i]) - want[i], 2);
      size += want[i] * want[i];
      largest = std::max(largest,
                         std::abs(static_cast<double>(got[i]) - want[i]) / std::max(0.01, std::abs(want[i])));
    }
    EXPECT_TRUE(std::sqrt(error / size) <= 1e-6) << c.dump() << ": " << std::sqrt(error / size);
    EXPECT_TRUE(largest <= 1e-5) << c.dump() << ": " << largest;  // of one element, above cancellation
  }
  EXPECT_EQ(seen.size(), all_methods().size());
}

}  // namespace
}  // namespace dws::merge
