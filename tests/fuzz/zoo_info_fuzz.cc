// The metadata of a zoo: what is read can be written and read again, and is the same network.
#include "format/zoo.h"
#include "fuzz.h"

using namespace dws;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::accepted([&] {
    const ZooInfo info = ZooInfo::from_json(Json::parse(fuzz::text_of(data, size), "f"), "f");
    fuzz::require(info.arch.layers() >= 1 && info.arch.param_count() > 0, "an architecture has parameters");
    fuzz::require(MlpArch::parse(info.arch.str()) == info.arch, "an architecture reads back from its text");
    const std::string once = info.to_json().dump();
    fuzz::require(fuzz::accepted([&] {
                    const ZooInfo again = ZooInfo::from_json(Json::parse(once, "f"), "f");
                    fuzz::require(again.to_json().dump() == once,
                                  "our own metadata is written the same again");
                    info.require_same_network(again, "a", "b");
                  }),
                  "our own metadata is read");
  });
  return 0;
}
