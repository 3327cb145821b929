// Helpers shared by all tests: a folder that cleans up after itself, expected errors, paths of test data.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/error.h"

namespace dws::testing {

// A fresh folder below the system's temporary folder, removed with everything in it at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dws-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed: " + pattern);
    path_ = pattern;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }
  // The path of `name` in this folder; creates nothing.
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string operator/(const std::string& name) const { return file(name); }

 private:
  std::string path_;
};

// MiB of mapped files that count as this process's memory now.
inline double mapped_mib() {
  std::ifstream status("/proc/self/status");
  double kib = 0, value = 0;
  for (std::string word; status >> word;)
    if ((word == "RssFile:" || word == "RssShmem:") && status >> value) kib += value;
  return kib / 1024;
}

// Calls fn() and fails unless it throws dws::Error of `kind` whose what() is one line containing `substring`.
template <class Fn>
::testing::AssertionResult throws_error(ErrorKind kind, Fn&& fn, const std::string& substring = {}) {
  try {
    std::forward<Fn>(fn)();
  } catch (const Error& error) {
    const std::string what = error.what();
    if (error.kind() != kind) {
      return ::testing::AssertionFailure()
             << "expected " << to_string(kind) << ", got " << to_string(error.kind()) << ": " << what;
    }
    if (what.find(substring) == std::string::npos) {
      return ::testing::AssertionFailure() << "'" << substring << "' is not in: " << what;
    }
    if (what.find('\n') != std::string::npos) {
      return ::testing::AssertionFailure() << "more than one line: " << what;
    }
    return ::testing::AssertionSuccess() << what;
  } catch (const std::exception& error) {
    return ::testing::AssertionFailure() << "another exception: " << error.what();
  }
  return ::testing::AssertionFailure() << "nothing was thrown, expected " << to_string(kind);
}

// The same as a check: expect_error(ErrorKind::io, [&] { ... }, "part of the message").
template <class Fn>
void expect_error(ErrorKind kind, Fn&& fn, const std::string& substring = {}) {
  EXPECT_TRUE(throws_error(kind, std::forward<Fn>(fn), substring));
}

// A file of tests/data.
inline std::string data_path(const std::string& name) {
  return std::string(DWS_TEST_DATA) + "/" + name;
}

}  // namespace dws::testing
