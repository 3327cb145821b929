// What is read can be written and read again, to the same text.
#include "core/json.h"
#include "fuzz.h"

using namespace dws;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const std::string once = Json::parse(fuzz::text_of(data, size), "f").dump();
    std::string twice;
    fuzz::require(fuzz::accepted([&] { twice = Json::parse(once, "f").dump(); }), "our own JSON is read");
    fuzz::require(once == twice, "our own JSON is written the same again");
  });
  return 0;
}
