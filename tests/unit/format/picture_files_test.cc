#include "format/picture_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/file.h"

namespace dws {
namespace {

class PictureFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("pictures." + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& content = "x") const {
    const std::string path = (folder_ / name).string();
    write_text(path, content, true);
    return path;
  }
  std::filesystem::path folder_;
};

TEST_F(PictureFiles, AFolderOfBatchesStandsForThoseOfTraining) {
  const std::string second = file("data_batch_2.bin"), first = file("data_batch_1.bin");
  file("test_batch.bin");
  const auto files = picture_files({folder_.string()}, {});
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].images, first);
  EXPECT_EQ(files[0].labels, first);
  EXPECT_EQ(files[1].images, second);
}

TEST_F(PictureFiles, LabelsLieBesideOrAreNamed) {
  const std::string images = file("t10k-images-idx3-ubyte"), labels = file("t10k-labels-idx1-ubyte");
  EXPECT_EQ(picture_files({images}, {}).at(0).labels, labels);
  EXPECT_EQ(picture_files({images}, {"others"}).at(0).labels, "others");
  EXPECT_THROW(picture_files({file("alone.png")}, {}), Error);
  EXPECT_THROW(picture_files({images}, {labels, labels}), Error);
}

TEST_F(PictureFiles, ALabelThatIsNoClassCountsAmongTheFirst) {
  std::string batch(2 * 3073, '\0');
  const PictureFile both{file("data_batch_1.bin", batch), file("data_batch_1.bin", batch)};
  EXPECT_EQ(read_pictures(both, 2).labels, (std::vector<int64_t>{0, 0}));
  const std::string one("\0\0\x08\x01\0\0\0\x01\0", 9);
  EXPECT_THROW(read_pictures({both.images, file("t10k-labels-idx1-ubyte", one)}, 2), Error);
}

}  // namespace
}  // namespace dws
