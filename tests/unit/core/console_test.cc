// What goes to stderr (log, progress), and signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "core/file.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/text.h"
#include "testing.h"

namespace dws {
namespace {

using testing::expect_error;

// What `work` writes to file descriptor 2.
template <class Fn>
std::string stderr_of(Fn&& work) {
  const testing::TempDir dir;
  const int saved = dup(STDERR_FILENO);
  const int fd = open((dir / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, STDERR_FILENO);
  close(fd);
  work();
  fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  return read_text(dir / "err");
}

class Log : public ::testing::Test {
 protected:
  void TearDown() override { set_log_level(LogLevel::info); }
};

TEST_F(Log, Patterns) {
  EXPECT_EQ(stderr_of([] { log_info("hello {}"); }), "dws: hello {}\n");
  EXPECT_EQ(stderr_of([] { log_warn("odd"); }), "dws: warning: odd\n");
  EXPECT_EQ(stderr_of([] { log_debug("detail"); }), "");
}

TEST_F(Log, Levels) {
  set_log_level(LogLevel::debug);
  EXPECT_EQ(stderr_of([] { log_debug("detail"); }), "dws: detail\n");
  set_log_level(LogLevel::warn);
  EXPECT_EQ(stderr_of([] { log_info("x"), log_warn("y"); }), "dws: warning: y\n");
  set_log_level(LogLevel::off);
  EXPECT_EQ(stderr_of([] { log_warn("y"); }), "");
  EXPECT_EQ(parse_log_level("trace"), LogLevel::trace);
  EXPECT_EQ(parse_log_level("off"), LogLevel::off);
  expect_error(
      ErrorKind::usage, [] { parse_log_level("wran"); }, "unknown log level 'wran'");
}

TEST_F(Log, LinesOfSeveralThreadsStayWhole) {
  const std::string out = stderr_of([] {
    std::vector<std::thread> threads;
    for (char c : {'a', 'b', 'c', 'd'}) {
      threads.emplace_back([c] {
        for (int i = 0; i < 200; ++i) log_info(std::string(100, c));
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  const auto lines = split(out, '\n');
  ASSERT_EQ(lines.size(), 801u);
  for (size_t i = 0; i < 800; ++i) ASSERT_EQ(lines[i], "dws: " + std::string(100, lines[i].back()));
}

TEST_F(Log, FileIsAppendedTo) {
  const testing::TempDir dir;
  write_text(dir / "log", "before\n", false);
  stderr_of([&] {
    set_log_file(dir / "log");
    log_warn("odd");
  });
  const std::string content = read_text(dir / "log");
  EXPECT_EQ(content.rfind("before\n", 0), 0u);
  EXPECT_NE(content.find(" warning odd\n"), std::string::npos) << content;
  expect_error(
      ErrorKind::io, [] { set_log_file("/proc/no/log"); }, "/proc/no/log: cannot open the log file");
}

TEST(ProgressLine, SaysShareRateAndTimeLeft) {
  EXPECT_EQ(progress_line("fit", "networks", 25, 100, 12.34, "loss 0.3", 120),
            "fit [#####...............]  25% 25/100 networks  12.3/s  6s left  loss 0.3");
  EXPECT_EQ(progress_line("fit", "networks", 100, 100, 250, "", 120),
            "fit [####################] 100% 100/100 networks  250/s");
  EXPECT_EQ(progress_line("read", "files", 7, 0, 2, "", 120), "read 7 files  2.00/s");
  EXPECT_EQ(progress_line("fit", "n", 0, 7200, 1, "", 120),
            "fit [....................]   0% 0/7200 n  1.00/s  2h00m left");
  EXPECT_EQ(progress_line("fit", "n", 0, 90, 1, "a\nb", 120),
            "fit [....................]   0% 0/90 n  1.00/s  1m30s left  a\\nb");
  EXPECT_EQ(progress_line("fit", "n", 0, 90, 0, "", 120), "fit [....................]   0% 0/90 n");
  EXPECT_EQ(progress_line("fit", "n", 120, 90, 1, "", 120),
            "fit [####################] 100% 120/90 n  1.00/s");
}

TEST(ProgressLine, DropsTheBarFirst) {
  EXPECT_EQ(progress_line("fit", "n", 45, 90, 1, "loss 0.3", 60),
            "fit  50% 45/90 n  1.00/s  45s left  loss 0.3");
}

TEST(ProgressLine, FitsTheWidth) {
  for (int width = 0; width < 100; ++width) {
    const auto line = progress_line("fit", "networks", 3, 9, 1.5, "note note", width);
    EXPECT_LE(static_cast<int>(line.size()), std::max(width - 1, 0));
  }
  EXPECT_EQ(progress_line("\xC3\xA9\xC3\xA9", "n", 1, 0, 0, "", 4), "\xC3\xA9");  // no half characters
}

class ProgressOutput : public ::testing::Test {
 protected:
  void TearDown() override { set_progress_mode(ProgressMode::automatic); }
};

TEST_F(ProgressOutput, SilentUnlessATerminal) {
  const auto work = [] {
    Progress progress("fit", "networks", 10);
    progress.update(5, "note");
    progress.add(1);
  };
  EXPECT_EQ(stderr_of(work), "");
  set_progress_mode(ProgressMode::never);
  EXPECT_EQ(stderr_of(work), "");
}

TEST_F(ProgressOutput, AtMostSixLinesASecondAndClearedAtTheEnd) {
  set_progress_mode(ProgressMode::always);
  const auto start = std::chrono::steady_clock::now();
  const std::string out = stderr_of([] {
    Progress progress("fit", "networks", 1'000'000);
    for (int i = 0; i < 60; ++i) {
      progress.add(10, "loss 0.5");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto lines = std::count(out.begin(), out.end(), '\r') - 1;  // the last one clears
  EXPECT_GE(lines, 3);
  EXPECT_LE(static_cast<double>(lines), 1 + 6 * seconds);
  EXPECT_NE(out.find("loss 0.5"), std::string::npos);
  EXPECT_EQ(out.substr(out.size() - 4), "\r\x1b[K");
  EXPECT_EQ(out.find('\n'), std::string::npos);
}

TEST_F(ProgressOutput, AMessageTakesThePlaceOfTheLine) {
  set_progress_mode(ProgressMode::always);
  const std::string out = stderr_of([] {
    Progress progress("fit", "networks", 10);
    progress.update(1);
    log_info("message");
  });
  EXPECT_NE(out.find("\r\x1b[Kdws: message\n"), std::string::npos) << out;
}

TEST_F(ProgressOutput, RateOfAResumedRunCountsNewWorkOnly) {
  set_progress_mode(ProgressMode::always);
  const std::string out = stderr_of([] {
    Progress progress("fit", "networks", 2'000'000, 1'000'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    progress.add(1);
  });
  EXPECT_NE(out.find("1000001/2000000"), std::string::npos) << out;
  EXPECT_EQ(out.find("000/s"), std::string::npos) << out;
  EXPECT_NE(out.find("/s"), std::string::npos) << out;
}

TEST(ProgressMode, Names) {
  EXPECT_EQ(parse_progress_mode("auto"), ProgressMode::automatic);
  EXPECT_EQ(parse_progress_mode("always"), ProgressMode::always);
  EXPECT_EQ(parse_progress_mode("never"), ProgressMode::never);
  expect_error(
      ErrorKind::usage, [] { parse_progress_mode("maybe"); }, "'maybe'");
}

TEST(Interrupt, FirstSignalSetsTheFlag) {
  signal(SIGHUP, SIG_DFL);
  install_interrupt_handler();
  set_interrupted(false);
  EXPECT_NO_THROW(check_interrupt());
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    raise(number);
    EXPECT_TRUE(interrupted());
    expect_error(ErrorKind::interrupted, [] { check_interrupt(); });
    set_interrupted(false);
  }
}

TEST(Interrupt, AnIgnoredHangupStaysIgnored) {
  signal(SIGHUP, SIG_IGN);
  install_interrupt_handler();
  set_interrupted(false);
  raise(SIGHUP);
  EXPECT_FALSE(interrupted());
  set_interrupted(false);
}

TEST(InterruptDeathTest, SecondSignalEndsTheProcess) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        raise(SIGINT);
        raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

TEST(Interrupt, AClosedPipeIsAnErrorAndNotASignal) {
  install_interrupt_handler();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

}  // namespace
}  // namespace dws
