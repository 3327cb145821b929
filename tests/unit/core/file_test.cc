#include "core/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "testing.h"

namespace dws {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::mapped_mib;
using testing::TempDir;

size_t entries(const TempDir& dir) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()));
}

TEST(MappedFile, HoldsTheBytes) {
  const TempDir dir;
  const std::string content("a\0b\n", 4);
  std::ofstream(dir / "x") << content;
  const MappedFile file(dir / "x");
  ASSERT_EQ(file.bytes().size(), content.size());
  EXPECT_EQ(std::memcmp(file.bytes().data(), content.data(), content.size()), 0);
  EXPECT_EQ(file.path(), dir / "x");
}

TEST(MappedFile, EmptyFileIsAnEmptySpan) {
  const TempDir dir;
  std::ofstream(dir / "empty");
  EXPECT_TRUE(MappedFile(dir / "empty").bytes().empty());
  EXPECT_EQ(read_text(dir / "empty"), "");
}

TEST(MappedFile, MovesKeepTheMapping) {
  const TempDir dir;
  std::ofstream(dir / "x") << "first";
  std::ofstream(dir / "y") << "second";
  MappedFile a(dir / "x");
  MappedFile b(std::move(a));
  EXPECT_EQ(b.bytes().size(), 5u);
  b = MappedFile(dir / "y");
  EXPECT_EQ(b.bytes().size(), 6u);
  EXPECT_EQ(std::to_integer<char>(b.bytes()[0]), 's');
}

unsigned sum_of(Bytes bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
  return sum;
}

TEST(MappedFile, ReleasedPagesNoLongerCountAndComeBack) {
  TempDir dir;
  write_text(dir / "x", std::string(16 << 20, 'x'), false);
  const MappedFile file(dir / "x");
  const double before = mapped_mib();
  const unsigned sum = sum_of(file.bytes());
  EXPECT_GT(mapped_mib(), before + 14);
  // In pieces that end inside pages, as the rows of a tensor do: nothing stays behind at their borders.
  for (size_t at = 0; at < file.bytes().size(); at += 100'003)
    file.release(file.bytes().subspan(at, std::min<size_t>(100'003, file.bytes().size() - at)));
  EXPECT_LT(mapped_mib(), before + 0.5);
  file.prefetch(file.bytes());
  EXPECT_EQ(sum_of(file.bytes()), sum);
  // A network here and there: what came in around it goes with it.
  file.release(file.bytes());
  for (size_t at = 0; at < file.bytes().size(); at += 1 << 20) {
    const Bytes one = file.bytes().subspan(at + 5000, 10);
    sum_of(one);
    file.release(one);
  }
  EXPECT_LT(mapped_mib(), before + 0.5);
}

TEST(MappedFile, ReleaseOfNothingIsHarmless) {
  const MappedFile none;
  none.release({});
  none.prefetch(none.bytes());
}

TEST(MappedFile, MissingFile) {
  const TempDir dir;
  expect_error(
      ErrorKind::io, [&] { MappedFile(dir / "nowhere"); }, "nowhere: cannot open: No such file");
}

TEST(MappedFile, ControlCharactersInANameStayOnOneLine) {
  const TempDir dir;
  expect_error(
      ErrorKind::io, [&] { MappedFile(dir / "a\nb"); }, "a\\nb: cannot open");
}

TEST(MappedFile, InsideAFolderFollowsTheLastLinkOnlyWhenAsked) {
  const TempDir dir;
  fs::create_directories(dir / "in/sub");
  std::ofstream(dir / "out") << "outside";
  fs::create_symlink("../../out", dir / "in/sub/link");
  fs::create_directory_symlink("..", dir / "in/up");
  expect_error(
      ErrorKind::path_escape, [&] { MappedFile::open_inside(dir / "in", "sub/link"); }, "symbolic link");
  EXPECT_EQ(MappedFile::open_inside(dir / "in", "sub/link", true).bytes().size(), 7u);
  fs::create_hard_link(dir / "out", dir / "in/hard");
  expect_error(
      ErrorKind::path_escape, [&] { MappedFile::open_inside(dir / "in", "hard"); }, "second name");
  EXPECT_EQ(MappedFile::open_inside(dir / "in", "hard", true).bytes().size(), 7u);
  for (const char* name : {"up/out", "../out", "sub/../../out", "/etc/passwd", ""})
    expect_error(ErrorKind::path_escape, [&] { MappedFile::open_inside(dir / "in", name, true); });
}

TEST(MappedFile, RefusesADirectory) {
  const TempDir dir;
  expect_error(
      ErrorKind::not_regular_file, [&] { MappedFile(dir.path()); }, "got a directory");
}

TEST(MappedFile, RefusesADevice) {
  expect_error(
      ErrorKind::not_regular_file, [] { MappedFile("/dev/zero"); }, "got a device");
}

TEST(MappedFile, RefusesAFifoWithoutWaiting) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  expect_error(
      ErrorKind::not_regular_file, [&] { MappedFile(dir / "fifo"); }, "got a FIFO");
}

TEST(MappedFile, RefusesASocket) {
  const TempDir dir;
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (dir / "s").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect_error(
      ErrorKind::not_regular_file, [&] { MappedFile(dir / "s"); }, "got a socket");
  close(fd);
}

TEST(ByteReader, BothByteOrders) {
  const unsigned char raw[] = {0xFE, 1, 2, 3, 4, 0x81, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 0x88, 9};
  ByteReader reader(std::as_bytes(std::span(raw)), "f");
  EXPECT_EQ(reader.u8(), 0xFE);
  EXPECT_EQ(reader.u32_be(), 0x01020304u);
  EXPECT_EQ(reader.u32_le(), 0x04030281u);
  EXPECT_EQ(reader.u64_le(), 0x8807060504030201u);
  EXPECT_EQ(reader.position(), 17u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_EQ(reader.take(1).size(), 1u);
  EXPECT_EQ(reader.take(0).size(), 0u);
}

TEST(ByteReader, EndIsAnErrorThatNamesFileAndByte) {
  const unsigned char raw[7] = {};
  const auto reader = [&] {
    ByteReader r(std::as_bytes(std::span(raw)), "dir/file.idx");
    r.u32_le();
    return r;
  };
  const std::string where = "dir/file.idx: data ends too early at byte 4: expected ";
  expect_error(
      ErrorKind::truncated, [&] { reader().u32_be(); }, where + "4 more bytes, got 3");
  expect_error(
      ErrorKind::truncated, [&] { reader().u32_le(); }, where + "4");
  expect_error(
      ErrorKind::truncated, [&] { reader().u64_le(); }, where + "8");
  expect_error(
      ErrorKind::truncated, [&] { reader().take(SIZE_MAX); }, where);
  expect_error(
      ErrorKind::truncated, [] { ByteReader({}, "f").u8(); }, "f: data ends too early at byte 0");
}

TEST(AtomicFile, AppearsWholeAtCommit) {
  const TempDir dir;
  const std::string big(700'000, 'x');
  AtomicFile file(dir / "out", false);
  file.write("head ");
  file.write(big);
  file.write(" tail");
  EXPECT_FALSE(fs::exists(dir / "out"));
  file.commit();
  EXPECT_EQ(read_text(dir / "out"), "head " + big + " tail");
  EXPECT_EQ(entries(dir), 1u);
}

TEST(AtomicFile, ManySmallWritesKeepTheirOrder) {
  const TempDir dir;
  std::string expected;
  AtomicFile file(dir / "out", false);
  for (int i = 0; i < 100'000; ++i) {
    const std::string piece = std::to_string(i) + "\n";
    file.write(piece);
    expected += piece;
  }
  file.commit();
  EXPECT_TRUE(read_text(dir / "out") == expected);
}

TEST(AtomicFile, WithoutCommitNothingIsLeft) {
  const TempDir dir;
  std::ofstream(dir / "old") << "old";
  {
    AtomicFile file(dir / "old", true);
    file.write("new");
    AtomicFile other(dir / "fresh", false);
    EXPECT_EQ(entries(dir), 3u);
  }
  EXPECT_EQ(entries(dir), 1u);
  EXPECT_EQ(read_text(dir / "old"), "old");
}

TEST(AtomicFile, RemovesWhatAKilledWriterOfTheSameFileLeft) {
  const TempDir dir;
  const auto killed_while_writing = [&](const std::string& name) {
    const pid_t child = fork();
    if (child == 0) {
      AtomicFile file(dir / name, true);
      file.write("half");
      _exit(0);  // no destructor runs, as after SIGKILL
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
  };
  killed_while_writing("x");
  killed_while_writing("x");  // takes the first one's leftover away
  EXPECT_EQ(entries(dir), 1u);
  killed_while_writing("y");
  const std::string long_name(255, 'n');
  killed_while_writing(long_name);
  EXPECT_EQ(entries(dir), 3u);
  AtomicFile running(dir / "x", false);
  EXPECT_EQ(entries(dir), 3u);
  AtomicFile beside(dir / "x", false);  // a live writer's is left alone
  EXPECT_EQ(entries(dir), 4u);
  running.commit();
  write_text(dir / "y", "whole", false);
  write_text(dir / long_name, "whole", false);
  EXPECT_EQ(entries(dir), 4u);  // three files and the temporary of `beside`
}

TEST(AtomicFile, RefusesAnExistingFileWithoutForce) {
  const TempDir dir;
  write_text(dir / "x", "one", false);
  expect_error(
      ErrorKind::exists, [&] { AtomicFile(dir / "x", false); }, "x: exists already");
  try {
    require_writable(dir / "x", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.advice().find("--force"), std::string::npos);
  }
  write_text(dir / "x", "two", true);
  EXPECT_EQ(read_text(dir / "x"), "two");
}

TEST(AtomicFile, AFileThatAppearsMeanwhileIsKept) {
  const TempDir dir;
  AtomicFile file(dir / "x", false);
  file.write("ours");
  std::ofstream(dir / "x") << "theirs";
  expect_error(
      ErrorKind::exists, [&] { file.commit(); }, "x: exists already");
  EXPECT_EQ(read_text(dir / "x"), "theirs");
}

TEST(AtomicFile, KeepsThePermissionsOfTheFileItReplaces) {
  const TempDir dir;
  write_text(dir / "x", "one", false);
  ASSERT_EQ(chmod((dir / "x").c_str(), 0640), 0);
  write_text(dir / "x", "two", true);
  EXPECT_EQ(fs::status(dir / "x").permissions(), fs::perms(0640));
}

TEST(AtomicFile, NeverReplacesADeviceOrAFolder) {
  const TempDir dir;
  expect_error(
      ErrorKind::not_regular_file, [] { AtomicFile("/dev/null", true); }, "got a device");
  expect_error(
      ErrorKind::not_regular_file, [&] { AtomicFile(dir.path(), true); }, "got a directory");
}

TEST(AtomicFile, MissingFolder) {
  const TempDir dir;
  expect_error(
      ErrorKind::io, [&] { AtomicFile(dir / "no/x", false); }, "no/x: cannot write: No such file");
  write_text(dir / "file", "", false);
  expect_error(
      ErrorKind::io, [&] { AtomicFile(dir / "file/x", false); }, "cannot write: Not a directory");
}

TEST(AtomicFile, SeveralWritersOfOneNameDoNotMix) {
  const TempDir dir;
  std::vector<std::thread> writers;
  for (char c : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&, c] { write_text(dir / "x", std::string(300'000, c), true); });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string content = read_text(dir / "x");
  EXPECT_EQ(content, std::string(300'000, content[0]));
  EXPECT_EQ(entries(dir), 1u);
}

// The kernel refuses to let files grow beyond 300 kB, as a full disk would.
class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    old_handler_ = signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    rlimit limit = old_limit_;
    limit.rlim_cur = 300'000;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void TearDown() override {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    signal(SIGXFSZ, old_handler_);
  }
  rlimit old_limit_{};
  sighandler_t old_handler_ = SIG_DFL;
};

TEST_F(FullDisk, OneLineAndTheOldFileStays) {
  const TempDir dir;
  write_text(dir / "x", "old", false);
  expect_error(
      ErrorKind::io, [&] { write_text(dir / "x", std::string(400'000, 'n'), true); },
      "x: cannot write: File too large");
  EXPECT_EQ(read_text(dir / "x"), "old");
  EXPECT_EQ(entries(dir), 1u);
}

TEST_F(FullDisk, AFailureWhileFlushingAtCommit) {
  const TempDir dir;
  AtomicFile file(dir / "x", false);
  file.write(std::string(290'000, 'a'));
  file.write(std::string(20'000, 'b'));  // waits in the buffer
  expect_error(
      ErrorKind::io, [&] { file.commit(); }, "cannot write: File too large");
  EXPECT_FALSE(fs::exists(dir / "x"));
}

TEST(ThrowErrno, NoSpaceLeft) {
  expect_error(
      ErrorKind::io,
      [] {
        const int fd = open("/dev/full", O_WRONLY);
        const bool failed = write(fd, "x", 1) < 0;
        const int reason = errno;
        close(fd);
        errno = reason;
        if (failed) throw_errno("out.bin", "cannot write");
      },
      "out.bin: cannot write: No space left on device");
}

}  // namespace
}  // namespace dws
