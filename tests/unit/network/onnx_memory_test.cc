// What a hostile file can make the reader allocate: at most 16 times its size and 64 MiB, whatever it is made of.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <new>

#include "../format/onnx_builder.h"
#include "format/onnx_wire.h"
#include "network/network.h"
#include "testing.h"

namespace dws {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // whose own memory is counted too
#else
constexpr bool kSanitized = false;
#endif

constexpr double kMiB = 1 << 20;
constexpr int64_t kMany = 600'000;

// A field of a message: tag and length in front.
std::string field(int number, const std::string& content) {
  std::string made;
  format::put_varint(static_cast<uint64_t>(number) << 3 | 2, made);
  format::put_varint(content.size(), made);
  return made + content;
}
std::string number(int field_number, uint64_t value) {
  std::string made;
  format::put_varint(static_cast<uint64_t>(field_number) << 3, made);
  format::put_varint(value, made);
  return made;
}
std::string repeated(int64_t n, const std::function<std::string(int64_t)>& one) {
  std::string made;
  for (int64_t i = 0; i < n; ++i) made += one(i);
  return made;
}

struct Hostile {
  const char* name;
  std::function<std::string(int64_t n)> graph;       // what is in the graph, of n parts
  std::function<std::string(int64_t n)> model = {};  // and beside it
};
void PrintTo(const Hostile& hostile, std::ostream* to) {
  *to << hostile.name;
}
std::string name_of(int64_t i) {  // short, and each its own
  std::string made;
  for (++i; i > 0; i /= 64) made.push_back(static_cast<char>('0' + i % 64));
  return made;
}
const Hostile kHostile[] = {
    {"empty nodes", [](int64_t n) { return repeated(n, [](int64_t) { return field(1, ""); }); }},
    {"tiny nodes", [](int64_t n) { return repeated(n, [](int64_t) { return field(1, field(4, "a")); }); }},
    {"nodes with an output",
     [](int64_t n) {
       return repeated(n, [](int64_t i) { return field(1, field(4, "a") + field(2, name_of(i))); });
     }},
    {"attributes",
     [](int64_t n) {
       return field(1, field(4, "a") + repeated(n, [](int64_t i) { return field(5, field(1, name_of(i))); }));
     }},
    {"empty attributes",
     [](int64_t n) { return field(1, field(4, "a") + repeated(n, [](int64_t) { return field(5, ""); })); }},
    {"inputs left out",
     [](int64_t n) { return field(1, field(4, "a") + repeated(n, [](int64_t) { return field(1, ""); })); }},
    {"the same long input",
     [](int64_t n) {
       const std::string same(40, 's');
       return field(11, field(1, same)) +
              field(1, field(4, "a") + repeated(n, [&](int64_t) { return field(1, same); }));
     }},
    {"integers",
     [](int64_t n) {
       return field(
           1, field(4, "a") + field(5, field(1, "i") + repeated(n, [](int64_t) { return number(8, 1); })));
     }},
    {"packed integers",
     [](int64_t n) {
       return field(
           1, field(4, "a") + field(5, field(1, "i") + field(8, std::string(static_cast<size_t>(n), '\1'))));
     }},
    {"strings",
     [](int64_t n) {
       return field(
           1, field(4, "a") + field(5, field(1, "i") + repeated(n, [](int64_t) { return field(9, "x"); })));
     }},
    {"empty tensors",
     [](int64_t n) {
       return repeated(
           n, [](int64_t i) { return field(5, number(1, 0) + number(2, 1) + field(8, name_of(i))); });
     }},
    {"tensors of one number",
     [](int64_t n) {
       return repeated(
           n, [](int64_t i) { return field(5, number(2, 2) + number(5, 1) + field(8, name_of(i))); });
     }},
    {"a tensor of bytes as varints",
     [](int64_t n) {
       return field(5, number(1, static_cast<uint64_t>(n)) + number(2, 7) + field(8, "t") +
                           field(7, std::string(static_cast<size_t>(n), '\1')));
     }},
    {"the same in two fields",
     [](int64_t n) {
       const std::string ones(static_cast<size_t>(n), '\1');
       return field(5, number(2, 7) + field(8, "t") + field(7, ones) + field(11, ones) + field(5, ones));
     }},
    {"dimensions",
     [](int64_t n) {
       return field(5, number(2, 1) + field(8, "t") + repeated(n, [](int64_t) { return number(1, 1); }));
     }},
    {"inputs",
     [](int64_t n) { return repeated(n, [](int64_t i) { return field(11, field(1, name_of(i))); }); }},
    {"declared values", [](int64_t n) { return repeated(n, [](int64_t) { return field(13, ""); }); }},
    {"dimensions of a value",
     [](int64_t n) {
       return field(11, field(1, "x") + field(2, field(1, number(1, 1) + field(2, repeated(n, [](int64_t) {
                                                                                 return field(1, "");
                                                                               })))));
     }},
    {"sparse tensors", [](int64_t n) { return repeated(n, [](int64_t) { return field(15, ""); }); }},
    {"annotations", [](int64_t n) { return repeated(n, [](int64_t) { return field(14, ""); }); }},
    {"unknown numbers", [](int64_t n) { return repeated(n, [](int64_t) { return number(100, 1); }); }},
    {"unknown strings", [](int64_t n) { return repeated(n, [](int64_t) { return field(100, ""); }); }},
    {"metadata", [](int64_t) { return std::string(); },
     [](int64_t n) { return repeated(n, [](int64_t) { return field(14, ""); }); }},
    {"functions", [](int64_t) { return std::string(); },
     [](int64_t n) { return repeated(n, [](int64_t i) { return field(25, field(1, name_of(i))); }); }},
    {"training", [](int64_t) { return std::string(); },
     [](int64_t n) { return repeated(n, [](int64_t) { return field(20, ""); }); }},
    {"a long string", [](int64_t n) { return field(10, std::string(static_cast<size_t>(n), 's')); }},
    {"long metadata", [](int64_t) { return std::string(); },
     [](int64_t n) { return field(14, field(1, std::string(static_cast<size_t>(n), 's'))); }},
};
std::string file_of(const Hostile& hostile, int64_t n) {
  return number(1, 8) + field(8, number(2, 13)) + (hostile.model ? hostile.model(n) : "") +
         field(7, hostile.graph(n));
}

// Reads the file in a process of its own. How much memory that took at most, and whether the file was refused as too much.
struct Reading {
  double mib = 0;
  bool too_much = false;
};
double peak_mib(const char* key) {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string word; status >> word;)
    if (word == key) status >> kib;
  return kib / 1024;
}
Reading read_apart(const std::string& file) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  ::malloc_trim(0);  // what was let go of would not count when it is taken again
  const pid_t child = ::fork();
  if (child == 0) {
    Reading reading;
    const double before = peak_mib("VmRSS:");
    try {
      network::from_onnx(std::make_shared<const Onnx>(Onnx::parse(testing::bytes_of(file), "m.onnx")));
    } catch (const Error& e) {
      reading.too_much = std::string(e.what()).find("too much memory") != std::string::npos;
    }
    reading.mib = peak_mib("VmHWM:") - before;
    const bool written = ::write(ends[1], &reading, sizeof reading) == sizeof reading;
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  Reading reading;
  const bool complete = ::read(ends[0], &reading, sizeof reading) == sizeof reading;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!complete || status != 0) throw std::runtime_error("the reader did not end well");
  return reading;
}

class OnnxMemory : public ::testing::TestWithParam<Hostile> {};

TEST_P(OnnxMemory, IsBounded) {
  if (kSanitized) GTEST_SKIP() << "memory is not what it is";
  // The most of this kind that is let through, and much more of it.
  const auto passes = [&](int64_t n) {
    const std::string file = file_of(GetParam(), n);
    try {
      format::onnx_skeleton(testing::bytes_of(file), "m.onnx");
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  int64_t n = 1, more = kMany;
  if (passes(more)) n = more;
  while (more - n > n / 10 + 1) {
    const int64_t middle = n + (more - n) / 2;
    (passes(middle) ? n : more) = middle;
  }
  for (const int64_t count : {n, kMany}) {
    const std::string file = file_of(GetParam(), count);
    const double size = static_cast<double>(file.size()) / kMiB;
    const Reading reading = read_apart(file);
    EXPECT_LE(reading.mib, 64 + 16 * size) << count;
    EXPECT_TRUE(count == n || reading.too_much);
    if (reading.too_much) {
      EXPECT_LE(reading.mib, 4 * size + 8) << count;
    }
    std::printf("%-30s %8ld parts, %6.2f MiB of file: %7.1f MiB%s\n", GetParam().name,
                static_cast<long>(count), size, reading.mib, reading.too_much ? ", refused" : "");
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OnnxMemory, ::testing::ValuesIn(kHostile), [](const auto& kind) {
  std::string name(kind.param.name);
  for (char& c : name)
    if (c == ' ') c = '_';
  return name;
});

}  // namespace
}  // namespace dws
