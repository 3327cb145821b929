#include "core/atomic_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/file.h"
#include "testing.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::TempDir;

size_t entries(const std::string& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}
void write_whole(const std::string& path) {
  AtomicFolder folder(path);
  write_text(folder.file("a"), "one", false);
  EXPECT_TRUE(!fs::exists(path) || fs::is_empty(path));
  folder.commit();
}

TEST(AtomicFolder, AppearsWholeOrNotAtAll) {
  const TempDir dir;
  write_whole(dir / "x");
  EXPECT_EQ(read_text(dir / "x/a"), "one");
  {
    AtomicFolder folder(dir / "y");
    write_text(folder.file("a"), "one", false);
  }
  fs::create_directory(dir / "empty");
  write_whole(dir / "empty");
  write_whole(dir / std::string(255, 'n'));
  EXPECT_EQ(entries(dir.path()), 3u);
}

TEST(AtomicFolder, RemovesWhatAKilledWriterOfTheSameFolderLeft) {
  const TempDir dir;
  const auto killed_while_writing = [&](const std::string& name) {
    const pid_t child = fork();
    if (child == 0) {
      AtomicFolder folder(dir / name);
      write_text(folder.file("half"), "half", false);
      _exit(0);  // no destructor runs, as after SIGKILL
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
  };
  killed_while_writing("x");
  killed_while_writing("x");  // takes the first one's leftover away
  EXPECT_EQ(entries(dir.path()), 1u);
  killed_while_writing("y");
  EXPECT_EQ(entries(dir.path()), 2u);
  {
    const AtomicFolder running(dir / "x");
    EXPECT_EQ(entries(dir.path()), 2u);
    const AtomicFolder beside(dir / "x");  // a live writer's is left alone
    EXPECT_EQ(entries(dir.path()), 3u);
  }
  write_whole(dir / "y");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(AtomicFolder, NamesThatCannotBe) {
  const TempDir dir;
  write_text(dir / "file", "", false);
  expect_error(
      ErrorKind::io, [] { const AtomicFolder folder(""); }, "is empty");
  expect_error(
      ErrorKind::exists, [&] { const AtomicFolder folder(dir / "file"); }, "is no folder");
  expect_error(
      ErrorKind::exists, [&] { const AtomicFolder folder("/"); }, "not empty");
  // The folder is named as it was asked for, not under its temporary name.
  expect_error(
      ErrorKind::io, [&] { const AtomicFolder folder(dir / "none/x"); }, "none/x: cannot create");
  expect_error(
      ErrorKind::io, [&] { const AtomicFolder folder(dir / "file/x"); }, "file/x: cannot create");
  EXPECT_EQ(entries(dir.path()), 1u);
}

}  // namespace
}  // namespace dws
